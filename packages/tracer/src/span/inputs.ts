import { SpanKind, type SpanStatus, StatusCode, type TimeInput } from './api/span.ts'

/*
 * What a program passes to a span, brought into the form that records hold. Nothing here throws, whatever it is given.
 */

/** A span's kind; INTERNAL for anything that is none, which would spoil the bytes of the export. */
export function kindInput(kind: unknown): SpanKind {
  const known =
    Number.isInteger(kind) && (kind as number) >= 0 && (kind as number) <= SpanKind.CONSUMER
  return known ? (kind as SpanKind) : SpanKind.INTERNAL
}
/** A name as text, whatever it is: hot-path calls never throw, and converting a stranger's object can. */
export function nameText(name: unknown): string {
  if (typeof name === 'string') return name
  try {
    return String(name)
  } catch {
    return ''
  }
}

/** What a status asks for; undefined where it is no status, or UNSET, which changes nothing. */
export function statusInput(status: SpanStatus): { code: StatusCode; message: string } | undefined {
  try {
    const { code, message } = status
    if (code === StatusCode.OK) return { code, message: '' }
    if (code !== StatusCode.ERROR) return undefined
    return { code, message: message === undefined ? '' : nameText(message) }
  } catch {
    return undefined
  }
}

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

/** OTLP counts nanoseconds since 1970 in 64 bits, without sign: until 2554. */
const END_NANOS = 2n ** 64n
const END = Number(END_NANOS / 1_000_000n)

/**
 * A moment as milliseconds on a clock whose zero is at `epoch`, or NaN where it is none, or none that can be exported. Numbers up
 * to the present `performance.now()` are readings of it, as in OpenTelemetry's SDK: epoch milliseconds from before the process are not.
 */
export function toClockTime(time: TimeInput, epoch: number): number {
  const at = toTime(time, epoch)
  const moment = at + epoch
  return moment >= 0 && moment < END ? at : Number.NaN
}

function toTime(time: TimeInput, epoch: number): number {
  if (typeof time === 'number') {
    return time <= performance.now() ? time + performance.timeOrigin - epoch : time - epoch
  }
  if (!isTimeInput(time)) return Number.NaN
  try {
    if (time instanceof Date) return time.getTime() - epoch
    // In whole microseconds, which a double has room for, as an epoch has to exporters.
    return (time[0] * 1e6 - Math.round(epoch * 1e3)) / 1e3 + time[1] / 1e6
  } catch {
    // A proxy of a Date is an instance of it, and yet has no time.
    return Number.NaN
  }
}

/**
 * Nanoseconds since 1970 of a time that says them exactly, for which a double has no room: `[seconds, nanoseconds]`, a Date, whole epoch
 * milliseconds. Undefined for all else.
 */
export function exactNanos(time: TimeInput | undefined): bigint | undefined {
  if (time === undefined) return undefined
  try {
    const exact = nanosOf(time)
    return exact !== undefined && exact >= 0n && exact < END_NANOS ? exact : undefined
  } catch {
    // A revoked proxy, or a date that is none.
    return undefined
  }
}

function nanosOf(time: TimeInput): bigint | undefined {
  if (Array.isArray(time)) {
    const [seconds, nanos] = time as readonly number[]
    if (!Number.isSafeInteger(seconds) || !Number.isSafeInteger(nanos)) return undefined
    return BigInt(seconds!) * 1_000_000_000n + BigInt(nanos!)
  }
  const isReading = typeof time === 'number' && time <= performance.now()
  const milliseconds = time instanceof Date ? time.getTime() : time
  if (isReading || !Number.isSafeInteger(milliseconds)) return undefined
  return BigInt(milliseconds as number) * 1_000_000n
}
