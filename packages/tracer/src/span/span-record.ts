import type { AttributeList } from '../attributes/attribute-list.ts'
import { spanIdHex, traceIdHex } from './hex.ts'
import type { Scope, SpanKind, StatusCode, TraceState } from './span.ts'
import type { SpanDetails } from './span-details.ts'
import type { SpanPool } from './span-pool.ts'
import { RANDOM, RECORDED, SAMPLED, type TraceRecord } from './trace-record.ts'

/**
 * The data of one recorded span, and what exporters read when it has ended. Records are used again and again: an exporter that
 * keeps data takes it out during `write`. Times are milliseconds on the tracer's clock; add `epoch` for epoch milliseconds.
 */
export class SpanRecord {
  scope: Scope
  name = ''
  kind: SpanKind = 0
  status: StatusCode = 0
  // Not 0: V8 would lay these out as small integers first, and lay out every record anew at the first fraction.
  start: number = Number.NaN
  end: number = Number.NaN
  /** Epoch milliseconds of the clock's zero. */
  epoch: number = Number.NaN
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
  readonly attributes: AttributeList
  details: SpanDetails | null = null

  /** @internal */
  readonly pool: SpanPool
  /** @internal Whether it goes back to the pool, or to the collector. */
  readonly pooled: boolean
  /** @internal Serial of the span that is running in it, 0 when that has ended. */
  owner = 0
  /** @internal Serial of the span whose data it holds. */
  serial = 0
  /** @internal Null for a root without children: its trace id follows from its serial. */
  trace: TraceRecord | null = null
  /** @internal The next one in the list that it is in: free ones, or ended ones. */
  next: SpanRecord | null = null

  constructor(pool: SpanPool, pooled: boolean, scope: Scope, attributes: AttributeList) {
    this.pool = pool
    this.pooled = pooled
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

  /** @internal Whether the span begins its trace in this process. */
  get isLocalRoot(): boolean {
    return this.parentRemote || (this.parentHigh | this.parentLow) === 0
  }

  /** @internal Fills in what nobody needs before an exporter does: identifiers, flags, the clock's zero. */
  complete(epoch: number): void {
    const { trace } = this
    this.epoch = epoch
    this.pool.ids.fill(this.serial, this)
    if (trace === null) {
      this.traceFlags = SAMPLED | RANDOM
      return
    }
    this.traceA = trace.a
    this.traceB = trace.b
    this.traceC = trace.c
    this.traceD = trace.d
    this.traceFlags = trace.flags & ~RECORDED
    this.traceState = trace.state
  }
}
