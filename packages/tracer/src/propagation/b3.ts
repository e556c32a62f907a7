import { IdleSpan } from '../span/idle/idle-span.ts'
import { readHex, spanIdHex } from '../span/ids/hex.ts'
import { DEBUG, RECORDED, SAMPLED, TraceRecord } from '../span/ids/trace-record.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import { type HeaderReader, type HeaderWriter, single } from './headers.ts'

/*
 * Zipkin's headers (https://github.com/openzipkin/b3-propagation), as OpenTelemetry's specification has them: both forms are read, the
 * single header first; the id of the parent's parent is ignored and not sent.
 */

export const B3_SINGLE_FIELDS: readonly string[] = ['b3']
export const B3_MULTI_FIELDS: readonly string[] = [
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-sampled',
  'x-b3-flags',
]

/** Flags by what either form says of sampling. Without a word of it the span counts as not sampled, as in OpenTelemetry's propagators. */
const FLAGS: ReadonlyMap<string, number> = new Map([
  ['', 0],
  ['0', 0],
  ['false', 0],
  ['1', SAMPLED | RECORDED],
  ['true', SAMPLED | RECORDED],
  ['d', SAMPLED | RECORDED | DEBUG],
])

/** The parent that the headers name, or undefined where neither form is valid. */
export function readB3(read: HeaderReader): IdleSpan | undefined {
  return readSingle(read) ?? readMulti(read)
}

function readSingle(read: HeaderReader): IdleSpan | undefined {
  const parts = single(read, 'b3')?.trim().split('-')
  if (parts === undefined || parts.length > 4) return undefined
  const [traceId = '', spanId = '', state = ''] = parts
  return spanOf(traceId, spanId, state)
}

function readMulti(read: HeaderReader): IdleSpan | undefined {
  const debug = single(read, 'x-b3-flags')?.trim() === '1'
  const sampled = single(read, 'x-b3-sampled')?.trim().toLowerCase() ?? ''
  return spanOf(
    single(read, 'x-b3-traceid')?.trim() ?? '',
    single(read, 'x-b3-spanid')?.trim() ?? '',
    debug ? 'd' : sampled,
  )
}

function spanOf(traceId: string, spanId: string, state: string): IdleSpan | undefined {
  const flags = FLAGS.get(state)
  const isId = (traceId.length === 32 || traceId.length === 16) && spanId.length === 16
  if (flags === undefined || !isId) return undefined
  // Ids of 64 bits are the lower half.
  const ids = (traceId.padStart(32, '0') + spanId).toLowerCase()
  const words = [0, 8, 16, 24, 32, 40].map(at => readHex(ids, at))
  const [a, b, c, d, high, low] = words as [number, number, number, number, number, number]
  if (words.some(Number.isNaN) || (a | b | c | d) === 0 || (high | low) === 0) return undefined
  return IdleSpan.foreign(new TraceRecord(a, b, c, d, flags), high, low, true)
}

/** `b3: <trace id>-<span id>-<0, 1 or d>` */
export function writeB3(write: HeaderWriter, span: TracerSpan): void {
  const { traceId, flags } = span.trace()
  const state = (flags & DEBUG) !== 0 ? 'd' : flags & SAMPLED
  write('b3', `${traceId}-${spanIdHex(span.spanHigh(), span.spanLow())}-${state}`)
}

export function writeB3Multi(write: HeaderWriter, span: TracerSpan): void {
  const { traceId, flags } = span.trace()
  write('x-b3-traceid', traceId)
  write('x-b3-spanid', spanIdHex(span.spanHigh(), span.spanLow()))
  // Debug implies that the trace is sampled.
  if ((flags & DEBUG) !== 0) write('x-b3-flags', '1')
  else write('x-b3-sampled', String(flags & SAMPLED))
}
