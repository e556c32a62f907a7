import type { Scope, SpanKind, StatusCode, TimeInput, TraceState } from '../api/span.ts'
import type { AttributeList } from '../attributes/attribute-list.ts'
import { spanIdHex, traceIdHex } from '../ids/hex.ts'
import type { IdSource } from '../ids/id-source.ts'
import { RANDOM, SAMPLED, type TraceRecord } from '../ids/trace-record.ts'
import type { SpanDetails } from './span-details.ts'
import type { ResolvedLimits } from './span-limits.ts'

/** What running spans need of the tracer that made them. */
export interface SpanHost {
  readonly limits: ResolvedLimits
  /** Milliseconds on the tracer's clock. */
  now(): number
  /** A user's moment on the tracer's clock with its zero at `epoch`; now where it is undefined or not a time. */
  at(time: TimeInput | undefined, epoch: number): number
  /** Takes over the record of a span that has just ended. */
  ended(record: SpanRecord): void
}

/** The pool that a record belongs to. */
export interface RecordPool {
  /** Records kept for reuse. */
  readonly capacity: number
  readonly ids: IdSource
  readonly host: SpanHost
  /** Calls on handles whose span had ended. */
  lateCalls: number
  /** Takes back a record that nothing reads any more. */
  release(record: SpanRecord): void
  /** As {@link release}, of a record that was in a program's hands: one that was left unusable is not used again. */
  takeBack(record: SpanRecord): void
}

const scratch = new Int32Array(6)

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
  /** Epoch milliseconds of the clock's zero, as it was when the trace began in this process. */
  epoch: number = Number.NaN
  /** Both zero where the span has no parent. */
  parentHigh = 0
  parentLow = 0
  /** Whether the parent is in another process. */
  parentRemote = false
  readonly attributes: AttributeList
  details: SpanDetails | null = null

  /** @internal */
  readonly pool: RecordPool
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

  /** @internal */
  constructor(pool: RecordPool, pooled: boolean, scope: Scope, attributes: AttributeList) {
    this.pool = pool
    this.pooled = pooled
    this.scope = scope
    this.attributes = attributes
  }

  /**
   * Both ids as signed 32-bit words, most significant first: four of the trace id, two of the span id. They are computed from the
   * serial when they are read, so a span that no exporter reads does not pay for them.
   */
  readIds(words: Int32Array): void {
    const { trace, serial } = this
    const { ids } = this.pool
    if (trace === null) {
      for (let word = 0; word < 4; word++) words[word] = ids.traceWord(serial, word)
    } else {
      words[0] = trace.a
      words[1] = trace.b
      words[2] = trace.c
      words[3] = trace.d
    }
    words[4] = ids.spanHigh(serial)
    words[5] = ids.spanLow(serial)
  }

  /** W3C flags. */
  get traceFlags(): number {
    return this.trace === null ? SAMPLED | RANDOM : this.trace.w3cFlags
  }

  get traceState(): TraceState | undefined {
    return this.trace === null ? undefined : this.trace.state
  }

  get traceId(): string {
    this.readIds(scratch)
    return traceIdHex(scratch[0]!, scratch[1]!, scratch[2]!, scratch[3]!)
  }

  get spanId(): string {
    this.readIds(scratch)
    return spanIdHex(scratch[4]!, scratch[5]!)
  }

  /** 16 hex digits, or undefined for a root. */
  get parentSpanId(): string | undefined {
    if ((this.parentHigh | this.parentLow) === 0) return undefined
    return spanIdHex(this.parentHigh, this.parentLow)
  }

  /** Nanoseconds since 1970. */
  get startUnixNano(): bigint {
    return this.details?.startNanos ?? unixNanos(this.epoch, this.start)
  }

  /** Nanoseconds since 1970, never before the start. */
  get endUnixNano(): bigint {
    const { startUnixNano: start } = this
    const end = this.details?.endNanos ?? unixNanos(this.epoch, this.end)
    if (end < start) return start
    return end
  }

  /** Milliseconds between start and end. */
  get duration(): number {
    return this.end - this.start
  }

  /** @internal Whether the span begins its trace in this process. */
  get isLocalRoot(): boolean {
    return this.parentRemote || (this.parentHigh | this.parentLow) === 0
  }
}

/** Nanoseconds since 1970 of a time in milliseconds on a clock whose zero is at `epoch`, exact to the clock's resolution. */
export function unixNanos(epoch: number, time: number): bigint {
  // Two parts, since one double of epoch nanoseconds has a resolution of 256.
  return BigInt(Math.round(epoch * 1_000)) * 1_000n + BigInt(Math.round(time * 1e6))
}
