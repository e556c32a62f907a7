import type { AttributeList } from '../attributes/attribute-list.ts'
import { spanIdHex, traceIdHex } from './hex.ts'
import type { Scope, SpanKind, StatusCode, TraceState } from './span.ts'
import type { SpanDetails } from './span-details.ts'

/**
 * An ended span as exporters read it. The tracer fills one record again and again: an exporter that keeps data takes
 * it out during `write`. Times are milliseconds on the tracer's clock; add `epoch` for epoch milliseconds.
 */
export class SpanRecord {
  scope: Scope
  name = ''
  kind: SpanKind = 0
  status: StatusCode = 0
  start = 0
  end = 0
  /** Epoch milliseconds of the clock's zero. */
  epoch = 0
  /** The trace id, most significant word first, as signed 32-bit integers. */
  traceA = 0
  traceB = 0
  traceC = 0
  traceD = 0
  spanHigh = 0
  spanLow = 0
  /** Both zero where the span has no parent. */
  parentHigh = 0
  parentLow = 0
  /** Whether the parent is in another process. */
  parentRemote = false
  /** W3C flags. */
  traceFlags = 0
  traceState: TraceState | undefined = undefined
  attributes: AttributeList
  details: SpanDetails | null = null

  constructor(scope: Scope, attributes: AttributeList) {
    this.scope = scope
    this.attributes = attributes
  }

  get traceId(): string {
    return traceIdHex(this.traceA, this.traceB, this.traceC, this.traceD)
  }

  get spanId(): string {
    return spanIdHex(this.spanHigh, this.spanLow)
  }

  /** 16 hex digits, or undefined for a root. */
  get parentSpanId(): string | undefined {
    if ((this.parentHigh | this.parentLow) === 0) return undefined
    return spanIdHex(this.parentHigh, this.parentLow)
  }

  /** Milliseconds between start and end. */
  get duration(): number {
    return this.end - this.start
  }
}
