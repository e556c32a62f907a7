import type { SpanContext, TraceState } from '../api/span.ts'
import { readHex, traceIdHex } from './hex.ts'
import type { IdSource } from './id-source.ts'
import { W3CTraceState } from './trace-state.ts'

/** W3C flag: the sender may have recorded the trace. */
export const SAMPLED = 0x01
/** W3C level 2 flag: the low 56 bits of the trace id are random. */
export const RANDOM = 0x02
/** Internal, above W3C's eight bits: spans are recorded here, whatever the sampled flag tells other processes. */
export const RECORDED = 0x100
/** Internal: B3's debug flag, which travels on with the trace. */
export const DEBUG = 0x200
/** W3C's eight bits. */
const W3C_FLAGS = 0xff

/** What all spans of one trace share in this process. Children refer to it instead of copying it. */
export class TraceRecord {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
  /** W3C flags, {@link RECORDED} and {@link DEBUG}. */
  flags: number
  state: TraceState | undefined
  /**
   * Epoch milliseconds of the clock's zero, for all spans of the trace in this process, so that a step of the wall clock never
   * puts a child outside of its parent. NaN until a span of it is recorded.
   */
  epoch: number = Number.NaN
  /** Where tail sampling keeps the trace's ended spans until its root has ended; nothing else looks into it. */
  held: object | null = null

  constructor(a: number, b: number, c: number, d: number, flags: number, state?: TraceState) {
    this.a = a
    this.b = b
    this.c = c
    this.d = d
    this.flags = flags
    this.state = state
  }

  /** The trace whose root has the given serial. */
  static root(ids: IdSource, serial: number, flags: number): TraceRecord {
    return new TraceRecord(
      ids.traceWord(serial, 0),
      ids.traceWord(serial, 1),
      ids.traceWord(serial, 2),
      ids.traceWord(serial, 3),
      flags,
    )
  }

  /** The trace of a context from outside, or undefined where its ids are malformed or zero. */
  static from(context: SpanContext): TraceRecord | undefined {
    const { traceId, traceFlags, traceState } = context
    if (typeof traceId !== 'string' || traceId.length !== 32) return undefined
    const a = readHex(traceId, 0)
    const b = readHex(traceId, 8)
    const c = readHex(traceId, 16)
    const d = readHex(traceId, 24)
    if (Number.isNaN(a + b + c + d) || (a | b | c | d) === 0) return undefined
    const sampled = (traceFlags & SAMPLED) === 0 ? 0 : RECORDED
    const flags = (traceFlags & (SAMPLED | RANDOM)) | sampled
    return new TraceRecord(a, b, c, d, flags, W3CTraceState.from(traceState))
  }

  /** The same trace under another sampling decision. */
  with(flags: number, state: TraceState | undefined): TraceRecord {
    const changed = new TraceRecord(this.a, this.b, this.c, this.d, flags, state)
    changed.epoch = this.epoch
    return changed
  }

  /** What other processes are told by `traceparent`. */
  get w3cFlags(): number {
    return this.flags & W3C_FLAGS
  }

  get traceId(): string {
    return traceIdHex(this.a, this.b, this.c, this.d)
  }
}
