import { IdleSpan } from '../span/idle/idle-span.ts'
import { readHex, writeHex } from '../span/ids/hex.ts'
import { RANDOM, RECORDED, SAMPLED, TraceRecord } from '../span/ids/trace-record.ts'
import { W3CTraceState } from '../span/ids/trace-state.ts'
import type { TracerSpan } from '../span/tracer-span.ts'

const LENGTH = 55
const DASH = 45

const scratch = Buffer.from(`00-${'0'.repeat(32)}-${'0'.repeat(16)}-00`, 'latin1')

/** `00-<trace id>-<span id>-<flags>` (W3C trace context level 2). */
export function formatTraceparent(span: TracerSpan): string {
  const trace = span.trace()
  writeHex(scratch, 3, trace.a)
  writeHex(scratch, 11, trace.b)
  writeHex(scratch, 19, trace.c)
  writeHex(scratch, 27, trace.d)
  writeHex(scratch, 36, span.spanHigh())
  writeHex(scratch, 44, span.spanLow())
  scratch[54] = 48 + (trace.flags & (SAMPLED | RANDOM))
  return scratch.toString('latin1', 0, LENGTH)
}

/**
 * The parent that a pair of headers names, or undefined where `traceparent` is not valid: the receiver then starts a
 * new trace. Versions from 01 on are read by their first 55 characters, as the specification asks.
 */
export function parseTraceparent(header: string, traceState?: string): IdleSpan | undefined {
  const text = header.trim()
  if (text.length < LENGTH) return undefined
  if (text.charCodeAt(2) !== DASH || text.charCodeAt(35) !== DASH) return undefined
  if (text.charCodeAt(52) !== DASH) return undefined
  const version = readByte(text, 0)
  if (Number.isNaN(version) || version === 0xff) return undefined
  if (text.length > LENGTH && (version === 0 || text.charCodeAt(LENGTH) !== DASH)) return undefined

  const a = readHex(text, 3)
  const b = readHex(text, 11)
  const c = readHex(text, 19)
  const d = readHex(text, 27)
  const high = readHex(text, 36)
  const low = readHex(text, 44)
  const flags = readByte(text, 53)
  if (Number.isNaN(a + b + c + d + high + low + flags)) return undefined
  if ((a | b | c | d) === 0 || (high | low) === 0) return undefined

  const state = traceState === undefined ? undefined : new W3CTraceState(traceState)
  const recorded = (flags & SAMPLED) === 0 ? 0 : RECORDED
  const trace = new TraceRecord(a, b, c, d, (flags & (SAMPLED | RANDOM)) | recorded, state)
  return IdleSpan.foreign(trace, high, low, true)
}

/** Two lower-case hex digits, or NaN. */
function readByte(text: string, at: number): number {
  return readHex(`000000${text.slice(at, at + 2)}`, 0)
}
