import { inherit } from './base-span.ts'
import type { IdSource } from './id-source.ts'
import { IdleSpan } from './idle-span.ts'
import { RANDOM, TraceRecord } from './trace-record.ts'

/**
 * A span that is not recorded. It reads no clock and stores no attribute; its ids exist only if somebody asks, to
 * propagate them. One object of three fields, `declare`d so that the constructor alone defines them (see RecordedSpan).
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: `inherit` below makes it true
export class UnsampledSpan {
  declare private ids: IdSource
  /** 0 until the ids are asked for. */
  declare private serial: number
  declare private shared: TraceRecord | null

  /** @param serial of the trace id that the decision was made by, or 0 where it was made without one */
  constructor(ids: IdSource, serial: number, trace: TraceRecord | null) {
    this.ids = ids
    this.serial = serial
    this.shared = trace
  }

  trace(): TraceRecord {
    return (this.shared ??= newTrace(this.#identified(), this.serial, RANDOM))
  }

  spanHigh(): number {
    return this.#identified().spanHigh(this.serial)
  }

  spanLow(): number {
    return this.#identified().spanLow(this.serial)
  }

  /** The source of the ids, once there is a serial to ask it with. */
  #identified(): IdSource {
    while (this.serial === 0) {
      this.serial = this.ids.next()
      if (this.serial === 0) this.ids = this.ids.successor
    }
    return this.ids
  }
}

export interface UnsampledSpan extends IdleSpan {}
inherit(UnsampledSpan, IdleSpan)

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
