import type { Exporter, ExporterStats, SpanRecord } from '@millrace/tracer'
import type { FinishedSpan } from './waterfall.ts'

/**
 * An exporter that keeps one trace: the one whose root took longest. Traces under way are held until their root ends, which is
 * after its children, so memory is bounded by the work in flight.
 */
export class SlowestTrace implements Exporter {
  readonly #open = new Map<string, FinishedSpan[]>()
  #slowest: FinishedSpan[] = []
  #duration = -1
  #exported = 0

  /** The spans of the slowest trace so far, its root last; none before the first root has ended. */
  get spans(): readonly FinishedSpan[] {
    return this.#slowest
  }

  write(record: SpanRecord): void {
    this.#exported++
    const { traceId, spanId, parentSpanId, name, start, end, status } = record
    const span = { traceId, spanId, parentSpanId, name, start, end, failed: status === 2 }
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
