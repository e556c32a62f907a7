import { type Exporter, type ExporterStats, type SpanRecord, StatusCode } from '@millrace/tracer'
import type { FinishedSpan } from './waterfall.ts'

/** A finished trace, its root last. */
export interface SlowTrace {
  /** ms since 1970. */
  readonly began: number
  /** ms. */
  readonly duration: number
  /** The names of its spans: what it has in common with others of its kind. */
  readonly shape: string
  readonly spans: readonly FinishedSpan[]
}

const MOST = 8
/** Of one shape: a burst of look-ups that all wait for the same limit would be all there is to see. */
const MOST_ALIKE = 2

/**
 * An exporter that keeps the slowest traces, those whose roots took longest, a few of each kind. Traces under way are held until their root ends, which is
 * after its children, so memory is bounded by the work in flight.
 */
export class SlowTraces implements Exporter {
  readonly #open = new Map<string, FinishedSpan[]>()
  #slow: SlowTrace[] = []
  #lifetime = Infinity
  #exported = 0

  /** Forgets all, and from now on also each trace that ended longer ago than `lifetime` ms. */
  restart(lifetime: number): void {
    this.#slow = []
    this.#lifetime = lifetime
  }

  /** Slowest first. */
  get traces(): readonly SlowTrace[] {
    return this.#slow
  }

  write(record: SpanRecord): void {
    this.#exported++
    const { traceId, spanId, parentSpanId, start, end, epoch, status } = record
    const failed = status === StatusCode.ERROR
    const span = { traceId, spanId, parentSpanId, name: label(record), start, end, failed }
    const spans = this.#open.get(traceId) ?? []
    spans.push(span)
    if (parentSpanId !== undefined) {
      this.#open.set(traceId, spans)
      return
    }
    this.#open.delete(traceId)
    const duration = end - start
    this.#slow = this.#slow.filter(trace => end - trace.spans.at(-1)!.end < this.#lifetime)
    const shape = spans.map(({ name }) => name).join()
    const alike = this.#slow.filter(trace => trace.shape === shape)
    const full = alike.length === MOST_ALIKE ? alike : this.#slow
    const least = full === alike || full.length === MOST ? full.at(-1) : undefined
    if (least !== undefined && duration <= least.duration) return
    const slow = { began: epoch + start, duration, shape, spans }
    this.#slow = [...this.#slow.filter(trace => trace !== least), slow].sort(
      (a, b) => b.duration - a.duration,
    )
  }

  send(): void {
    // Nothing to send: the process reads its own traces.
  }

  async flush(): Promise<void> {
    // Every written span is kept or forgotten at once.
  }

  async close(): Promise<void> {
    this.#open.clear()
  }

  stats(): ExporterStats {
    return { exported: this.#exported, dropped: 0, queued: 0, queuedBytes: 0 }
  }
}

/** The name, and for HTTP what was answered: that is what explains a retry. */
function label({ name, attributes }: SpanRecord): string {
  if (!name.startsWith('http.')) return name
  const status = attributes.toObject()['http.response.status_code']
  return status === undefined ? name : `${name} ${status}`
}
