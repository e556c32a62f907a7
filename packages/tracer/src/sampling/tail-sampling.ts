import {
  checkBoolean,
  checkInteger,
  checkPositive,
  checkPositiveOrInfinity,
  checkShare,
  type OptionRules,
  type Resolved,
  withDefault,
} from '@millrace/kit'
import { StatusCode } from '../span/api/span.ts'
import { SAMPLED, type TraceRecord } from '../span/ids/trace-record.ts'
import { W3CTraceState } from '../span/ids/trace-state.ts'
import type { SpanRecord } from '../span/recorded/span-record.ts'
import { DurationQuantile } from './duration-quantile.ts'
import { HeldTrace } from './held-trace.ts'

export interface TailSamplingOptions {
  /** A root slower than this quantile of the last roots of its name is kept; 1 keeps none for that. Default: 0.99 */
  readonly quantile?: number | undefined
  /** A root slower than this is kept, in milliseconds. Default: Infinity */
  readonly slowerThan?: number | undefined
  /** Traces with a failed span are kept. Default: true */
  readonly failed?: boolean | undefined
  /** Ended spans held at once; beyond it the trace held longest is decided without its root. Default: 10000 */
  readonly maxSpans?: number | undefined
  /** Longest time a trace is held, in milliseconds; then it is decided without its root. Default: 60000 */
  readonly maxAge?: number | undefined
}

export const TAIL_RULES: OptionRules<TailSamplingOptions> = {
  quantile: withDefault(0.99, checkShare),
  slowerThan: withDefault(Infinity, checkPositiveOrInfinity),
  failed: withDefault(true, checkBoolean),
  maxSpans: withDefault(10_000, checkInteger, 1, 10_000_000),
  maxAge: withDefault(60_000, checkPositive),
}

/** What {@link TailSamplingOptions} come to. */
export type TailSettings = Resolved<TailSamplingOptions>

/** Where the spans of traces that are kept go. */
export interface SpanSink {
  add(record: SpanRecord): void
}

/** Roots of a name before its quantile is trusted. */
const WARM_UP = 100
/** Names with a quantile of their own; further ones share one. */
const MAX_NAMES = 1_000

/** Kept with certainty: such a trace stands for one. */
const CERTAIN = new W3CTraceState('ot=th:0')

/**
 * Decides traces when their root has ended: slow against their own kind, or failed, or sampled at the head. Until then
 * ended spans stay raw in their records, so a trace that is dropped costs no encoding.
 */
export class TailSampling {
  readonly #drain: SpanSink
  readonly #settings: TailSettings
  readonly #durations = new Map<string, DurationQuantile>()
  readonly #others: DurationQuantile
  /** In order of beginning. */
  readonly #open = new Set<HeldTrace>()
  /** Ended spans in held traces. */
  held = 0
  /** Ended spans of traces that were not kept. */
  rejected = 0

  constructor(settings: TailSettings, drain: SpanSink) {
    this.#drain = drain
    this.#settings = settings
    this.#others = new DurationQuantile(settings.quantile)
  }

  /** A root of this process starts. */
  begin(trace: TraceRecord, now: number): void {
    this.#expire(now)
    const open = heldOf(trace)
    if (open !== null && open.kept === undefined) {
      open.openRoots++
      return
    }
    const held = new HeldTrace(trace, now)
    trace.held = held
    this.#open.add(held)
  }

  /** Takes a span that has ended. */
  ended(record: SpanRecord): void {
    const held = record.trace === null ? null : heldOf(record.trace)
    if (held === null || held.kept === true) {
      this.#drain.add(record)
    } else if (held.kept === false) {
      this.rejected++
      record.pool.release(record)
    } else {
      this.#hold(held, record)
    }
  }

  #hold(held: HeldTrace, record: SpanRecord): void {
    const { isLocalRoot, name, duration } = record
    held.records.push(record)
    this.held++
    if (this.#settings.failed && record.status === StatusCode.ERROR) held.remarkable = true
    if (this.held > this.#settings.maxSpans) {
      const [longest] = this.#open
      this.#decide(longest!)
    }
    if (isLocalRoot) this.#rootEnded(held, name, duration)
  }

  /** Decides all traces by what is known of them: the tracer closes. */
  decideAll(): void {
    for (const held of this.#open) this.#decide(held)
  }

  #rootEnded(held: HeldTrace, name: string, duration: number): void {
    const durations = this.#durationsOf(name)
    const isSlow = durations.total >= WARM_UP && duration > durations.estimate
    if ((isSlow && this.#settings.quantile < 1) || duration > this.#settings.slowerThan)
      held.remarkable = true
    durations.add(duration)
    if (held.kept === undefined && --held.openRoots === 0) this.#decide(held)
  }

  #durationsOf(name: string): DurationQuantile {
    const known = this.#durations.get(name)
    if (known !== undefined) return known
    if (this.#durations.size >= MAX_NAMES) return this.#others
    const added = new DurationQuantile(this.#settings.quantile)
    this.#durations.set(name, added)
    return added
  }

  #expire(now: number): void {
    for (const held of this.#open) {
      if (now - held.since <= this.#settings.maxAge) return
      this.#decide(held)
    }
  }

  #decide(held: HeldTrace): void {
    const { trace } = held
    const records = held.records.splice(0)
    this.#open.delete(held)
    this.held -= records.length
    held.kept = held.remarkable || (trace.flags & SAMPLED) !== 0
    if (!held.kept) {
      this.rejected += records.length
      for (const record of records) record.pool.release(record)
      return
    }
    if (held.remarkable) {
      trace.state = trace.state === undefined ? CERTAIN : trace.state.set('ot', 'th:0')
    }
    trace.flags |= SAMPLED
    for (const record of records) this.#drain.add(record)
  }
}

function heldOf(trace: TraceRecord): HeldTrace | null {
  return trace.held as HeldTrace | null
}
