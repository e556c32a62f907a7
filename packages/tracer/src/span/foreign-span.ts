import { BaseSpan, type TracerSpan } from './base-span.ts'
import { readHex } from './hex.ts'
import { IdleSpan } from './idle-span.ts'
import type { Span, SpanContext } from './span.ts'
import { TraceRecord } from './trace-record.ts'

/** A parent known only by its context: from a header, or a span of another library. Records nothing. */
export class ForeignSpan extends IdleSpan {
  readonly #trace: TraceRecord
  readonly #high: number
  readonly #low: number
  readonly #remote: boolean

  constructor(trace: TraceRecord, high: number, low: number, remote: boolean) {
    super()
    this.#trace = trace
    this.#high = high
    this.#low = low
    this.#remote = remote
  }

  /**
   * A parent from a context, or undefined where an id is malformed or zero, or where reading it throws: the child then starts
   * a new trace.
   */
  static from(context: SpanContext): ForeignSpan | undefined {
    try {
      const trace = TraceRecord.from(context)
      const { spanId } = context
      if (trace === undefined || typeof spanId !== 'string' || spanId.length !== 16)
        return undefined
      const high = readHex(spanId, 0)
      const low = readHex(spanId, 8)
      if (Number.isNaN(high + low) || (high | low) === 0) return undefined
      return new ForeignSpan(trace, high, low, context.isRemote === true)
    } catch {
      return undefined
    }
  }

  /** Any span as one of this package's: its own are what they are, others count by their context. Never throws. */
  static asTracerSpan(span: unknown): TracerSpan | null {
    try {
      if (span instanceof BaseSpan) return span as TracerSpan
      if (typeof span !== 'object' || span === null) return null
      return ForeignSpan.from((span as Span).spanContext()) ?? null
    } catch {
      return null
    }
  }

  override trace(): TraceRecord {
    return this.#trace
  }

  override spanHigh(): number {
    return this.#high
  }

  override spanLow(): number {
    return this.#low
  }

  override isRemote(): boolean {
    return this.#remote
  }
}
