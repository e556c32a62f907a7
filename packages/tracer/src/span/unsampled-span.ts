import type { IdSource } from './id-source.ts'
import { IdleSpan } from './idle-span.ts'
import { RANDOM, TraceRecord } from './trace-record.ts'

/**
 * A span that is not recorded. It reads no clock and stores no attribute; its ids exist only if somebody asks, to
 * propagate them. One object of three fields, `declare`d so that the constructor alone defines them (see RecordedSpan).
 */
export class UnsampledSpan extends IdleSpan {
  declare private readonly ids: IdSource
  declare private readonly serial: number
  declare private shared: TraceRecord | null

  constructor(ids: IdSource, serial: number, trace: TraceRecord | null) {
    super()
    this.ids = ids
    this.serial = serial
    this.shared = trace
  }

  override trace(): TraceRecord {
    return (this.shared ??= newTrace(this.ids, this.serial, RANDOM))
  }

  override spanHigh(): number {
    return this.ids.spanHigh(this.serial)
  }

  override spanLow(): number {
    return this.ids.spanLow(this.serial)
  }
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
