import type { SlowSpan } from '@millrace/perf-metrics/dashboard'
import { type Exporter, type ExporterStats, type SpanRecord, StatusCode } from '@millrace/tracer'
import type { FinishedSpan } from './waterfall.ts'

/**
 * An exporter that keeps one trace: the one whose root took longest. Traces under way are held until their root ends, which is
 * after its children, so memory is bounded by the work in flight.
 */
export class SlowestTrace implements Exporter {
  readonly #open = new Map<string, FinishedSpan[]>()
  #slowest: FinishedSpan[] = []
  #duration = -1
  /** Epoch milliseconds of the zero of the spans' times. */
  #epoch = 0
  #exported = 0

  /** The spans of the slowest trace so far, its root last; none before the first root has ended. */
  get spans(): readonly FinishedSpan[] {
    return this.#slowest
  }

  /** The same spans as the dashboard shows them, the root first. */
  slowSpans(): SlowSpan[] {
    return this.#slowest.toReversed().map(({ name, start, end, traceId, failed }) => ({
      name,
      duration: end - start,
      start: start + this.#epoch,
      traceId,
      error: failed,
    }))
  }

  write(record: SpanRecord): void {
    this.#exported++
    const { traceId, spanId, parentSpanId, start, end, status } = record
    const failed = status === StatusCode.ERROR
    const span = { traceId, spanId, parentSpanId, name: label(record), start, end, failed }
    const trace = this.#open.get(traceId) ?? []
    trace.push(span)
    if (parentSpanId !== undefined) {
      this.#open.set(traceId, trace)
      return
    }
    this.#open.delete(traceId)
    if (end - start <= this.#duration) return
    this.#duration = end - start
    this.#slowest = trace
    this.#epoch = record.epoch
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
