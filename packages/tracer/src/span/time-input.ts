import type { TimeInput } from './span.ts'

/** Tells a time from an attributes object, in the overloads of `addEvent`. */
export function isTimeInput(value: unknown): value is TimeInput {
  if (typeof value !== 'object' || value === null) return typeof value === 'number'
  try {
    if (value instanceof Date) return true
    return (
      Array.isArray(value) &&
      value.length === 2 &&
      typeof value[0] === 'number' &&
      typeof value[1] === 'number'
    )
  } catch {
    // A revoked proxy, or one with a trap that throws.
    return false
  }
}

/**
 * A moment as milliseconds on a clock whose zero is at `epoch`, or NaN where it is none. Numbers smaller than the
 * process's time origin are `performance.now()` readings, as in `@opentelemetry/core`.
 */
export function toClockTime(time: TimeInput, epoch: number): number {
  if (typeof time === 'number') {
    return time < performance.timeOrigin ? time + performance.timeOrigin - epoch : time - epoch
  }
  if (!isTimeInput(time)) return Number.NaN
  try {
    if (time instanceof Date) return time.getTime() - epoch
    return time[0] * 1_000 - epoch + time[1] / 1e6
  } catch {
    // A proxy of a Date is an instance of it, and yet has no time.
    return Number.NaN
  }
}
