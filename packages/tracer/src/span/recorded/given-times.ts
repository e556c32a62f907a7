import type { TimeInput } from '../api/span.ts'
import { exactNanos, toClockTime } from '../inputs.ts'
import { SpanDetails } from './span-details.ts'
import type { SpanRecord } from './span-record.ts'

/** Moves the start to a time that was given, if it is one. */
export function beginAt(record: SpanRecord, time: TimeInput): void {
  const at = toClockTime(time, record.epoch)
  if (Number.isNaN(at)) return
  record.start = at
  const nanos = exactNanos(time)
  if (nanos !== undefined) (record.details ??= new SpanDetails()).startNanos = nanos
}

/** An end that was given; nanoseconds go into the details, as the record has no room for them. */
export function endAt(record: SpanRecord, time: TimeInput): number {
  const nanos = exactNanos(time)
  if (nanos !== undefined) (record.details ??= new SpanDetails()).endNanos = nanos
  return record.pool.host.at(time, record.epoch)
}
