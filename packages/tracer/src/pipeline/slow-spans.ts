import { StatusCode } from '../span/api/span.ts'
import type { SpanRecord } from '../span/recorded/span-record.ts'

/** Spans kept. */
const KEPT = 20
/** Time after which a span is forgotten, so that what is shown is recent, in milliseconds. */
const MAX_AGE = 15 * 60_000

/** The root of a slow trace in this process, as `@millrace/perf-metrics/dashboard` shows it. */
export interface SlowSpan {
  readonly name: string
  /** Milliseconds. */
  readonly duration: number
  /** When it began, in epoch milliseconds. */
  readonly start: number
  readonly traceId: string
  /** Whether it failed. */
  readonly error: boolean
}

interface Kept {
  readonly span: SlowSpan
  /** On the tracer's clock. */
  readonly end: number
}

/** The slowest roots of the last quarter of an hour. One comparison for every span that is not among them. */
export class SlowSpans {
  #kept: Kept[] = []
  /** Duration above which a root is kept. */
  #threshold = 0

  /** Takes a span that has ended, and is about to be exported. */
  offer(record: SpanRecord): void {
    if (record.end - record.start > this.#threshold && record.isLocalRoot) this.#keep(record)
  }

  /** Forgets what is too old. */
  expire(now: number): void {
    const oldest = now - MAX_AGE
    if (!this.#kept.some(({ end }) => end < oldest)) return
    this.#kept = this.#kept.filter(({ end }) => end >= oldest)
    this.#threshold = 0
  }

  /** The kept spans, newest first. */
  list(now: number): SlowSpan[] {
    this.expire(now)
    return this.#kept.map(({ span }) => span).sort((a, b) => b.start - a.start)
  }

  #keep(record: SpanRecord): void {
    const span: SlowSpan = {
      name: record.name,
      duration: record.duration,
      start: record.epoch + record.start,
      traceId: record.traceId,
      error: record.status === StatusCode.ERROR,
    }
    this.#kept.push({ span, end: record.end })
    this.#kept.sort((a, b) => b.span.duration - a.span.duration)
    if (this.#kept.length < KEPT) return
    this.#kept.length = KEPT
    this.#threshold = this.#kept[KEPT - 1]!.span.duration
  }
}
