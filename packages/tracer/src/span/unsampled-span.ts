import { inherit } from './base-span.ts'
import { IdSource } from './id-source.ts'
import { IdleSpan } from './idle-span.ts'
import { RANDOM, TraceRecord } from './trace-record.ts'

/** The ids of a span, once somebody has asked for them. */
class Identity {
  readonly trace: TraceRecord
  readonly high: number
  readonly low: number

  constructor(trace: TraceRecord, high: number, low: number) {
    this.trace = trace
    this.high = high
    this.low = low
  }
}

/**
 * A span that is not recorded. It reads no clock and stores no attribute; its ids exist only if somebody asks, to
 * propagate them. An object of one field, 32 bytes: at 4 ns a span, writing them is most of the cost (4.9 ns with 56, which is why there is no
 * private method either: each object would carry the mark of its class). The field is `declare`d so that the constructor alone
 * defines it (see RecordedSpan).
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: `inherit` below makes it true
export class UnsampledSpan {
  /** As much as is known: nothing (0), the serial that the span was decided by, its parent's trace, or everything. */
  declare private known: number | TraceRecord | Identity

  constructor(known: number | TraceRecord) {
    this.known = known
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

  private identity(): Identity {
    const { known } = this
    if (known instanceof Identity) return known
    const decided = typeof known === 'number' && known !== 0
    const serial = decided ? known : takeSerial()
    const ids = IdSource.of(serial)
    const trace = known instanceof TraceRecord ? known : newTrace(ids, serial, RANDOM)
    const identity = new Identity(trace, ids.spanHigh(serial), ids.spanLow(serial))
    this.known = identity
    return identity
  }
}

export interface UnsampledSpan extends IdleSpan {}
inherit(UnsampledSpan, IdleSpan)

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

/** The trace whose root has the given serial. */
export function newTrace(ids: IdSource, serial: number, flags: number): TraceRecord {
  return new TraceRecord(
    ids.traceWord(serial, 0),
    ids.traceWord(serial, 1),
    ids.traceWord(serial, 2),
    ids.traceWord(serial, 3),
    flags,
  )
}
