import type { SpanContext } from '../api/span.ts'
import { readHex } from '../ids/hex.ts'
import { IdSource } from '../ids/id-source.ts'
import { RANDOM, TraceRecord } from '../ids/trace-record.ts'
import { contextOf, showIds, type TracerSpan } from '../tracer-span.ts'

/** The ids of a span that records nothing, once they are known. */
class Identity {
  readonly trace: TraceRecord
  readonly high: number
  readonly low: number
  readonly remote: boolean

  constructor(trace: TraceRecord, high: number, low: number, remote: boolean) {
    this.trace = trace
    this.high = high
    this.low = low
    this.remote = remote
  }
}

/**
 * A span that records nothing: one that is not sampled, or the parent that a header or another library's span names. It reads no
 * clock and stores no attribute; where it was started here, its ids come to be when they are first asked for.
 *
 * An object of one field, as writing it is most of what an unsampled span costs. So there is no superclass, whose constructor would be
 * looked up for each span; no private method, which would put a mark of the class on each object; and the field is `declare`d, so
 * that the constructor alone defines it (see RecordedSpan). Benchmark case: tracer "unsampled".
 */
export class IdleSpan implements TracerSpan {
  /** As much as is known: nothing (0), the serial that the span was decided by, its parent's trace, or everything. */
  declare private known: number | TraceRecord | Identity

  constructor(known: number | TraceRecord | Identity) {
    this.known = known
  }

  /** A span with the identity that headers or another library give it. */
  static foreign(trace: TraceRecord, high: number, low: number, remote: boolean): IdleSpan {
    return new IdleSpan(new Identity(trace, high, low, remote))
  }

  /**
   * A parent from a context, or undefined where an id is malformed or zero, or where reading it throws: the child then starts
   * a new trace.
   */
  static from(context: SpanContext): IdleSpan | undefined {
    try {
      const trace = TraceRecord.from(context)
      const { spanId } = context
      if (trace === undefined || typeof spanId !== 'string' || spanId.length !== 16)
        return undefined
      const high = readHex(spanId, 0)
      const low = readHex(spanId, 8)
      if (Number.isNaN(high + low) || (high | low) === 0) return undefined
      return IdleSpan.foreign(trace, high, low, context.isRemote === true)
    } catch {
      return undefined
    }
  }

  trace(): TraceRecord {
    if (this.known instanceof TraceRecord) return this.known
    return this.identity().trace
  }

  spanHigh(): number {
    return this.identity().high
  }

  spanLow(): number {
    return this.identity().low
  }

  isRemote(): boolean {
    return this.known instanceof Identity && this.known.remote
  }

  private identity(): Identity {
    const { known } = this
    if (known instanceof Identity) return known
    const decided = typeof known === 'number' && known !== 0
    const serial = decided ? known : takeSerial()
    const ids = IdSource.of(serial)
    const trace = known instanceof TraceRecord ? known : TraceRecord.root(ids, serial, RANDOM)
    const identity = new Identity(trace, ids.spanHigh(serial), ids.spanLow(serial), false)
    this.known = identity
    return identity
  }

  spanContext(): SpanContext {
    return contextOf(this)
  }

  setAttribute(): this {
    return this
  }

  setAttributes(): this {
    return this
  }

  addEvent(): this {
    return this
  }

  addLink(): this {
    return this
  }

  addLinks(): this {
    return this
  }

  setStatus(): this {
    return this
  }

  updateName(): this {
    return this
  }

  end(): void {}

  isRecording(): boolean {
    return false
  }

  recordException(): void {}
}

/** A serial for ids that no tracer has decided by. */
function takeSerial(): number {
  let source = IdSource.shared()
  let serial = source.next()
  while (serial === 0) {
    source = source.successor
    serial = source.next()
  }
  return serial
}

showIds(IdleSpan.prototype)
