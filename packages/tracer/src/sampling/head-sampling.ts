import { heed } from '@millrace/kit'
import type { Attributes, SpanOptions } from '../span/api/span.ts'
import type { IdSource } from '../span/ids/id-source.ts'
import { RANDOM, RECORDED, SAMPLED, TraceRecord } from '../span/ids/trace-record.ts'
import { W3CTraceState } from '../span/ids/trace-state.ts'
import { kindInput } from '../span/inputs.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import { RECORD_AND_SAMPLE, type Sampler, type SamplingResult } from './sampler.ts'
import { Threshold } from './threshold.ts'

/** How roots are decided. The first two need no ids and no call. */
export const NEVER = 0
export const ALWAYS = 1
const BY_ID = 2
const ASK = 3

/** The sampler, prepared so that the start of a span does as little as its outcome allows. */
export class HeadSampling {
  readonly sampler: Sampler
  /** Whether spans with a parent simply follow it. */
  readonly parentBased: boolean
  /** {@link NEVER}, {@link ALWAYS}, or anything else: call {@link root}. */
  mode: number
  /** Attributes that the sampler gives to the span which it has just decided; cleared by the pipeline, which applies them. */
  granted: Attributes | undefined = undefined
  #threshold: Threshold | null = null
  #state: W3CTraceState | undefined

  constructor(sampler: Sampler) {
    this.sampler = sampler
    this.parentBased = sampler.parentBased ?? true
    this.mode = ASK
    this.limit(1)
  }

  /** Keeps at most this share of what the sampler keeps of roots; 1 lifts the limit. For the overhead governor. */
  limit(share: number): void {
    const { probability } = this.sampler
    const effective = Math.min(1, probability ?? 1) * share
    if (probability === undefined) this.mode = ASK
    else if (effective >= 1) this.mode = ALWAYS
    else if (effective <= 0) this.mode = NEVER
    else this.mode = BY_ID
    this.#threshold = effective < 1 ? new Threshold(effective) : null
    const known = probability !== undefined && effective > 0 && effective < 1
    this.#state = known ? new W3CTraceState(`ot=th:${this.#threshold}`) : undefined
  }

  /** Decides a root of which everything is recorded: the decision is only what other processes are told. */
  tailRoot(
    ids: IdSource,
    serial: number,
    name: string,
    options: SpanOptions | undefined,
  ): TraceRecord {
    const decided = this.mode === NEVER ? undefined : this.root(ids, serial, name, options)
    const sampled = decided === undefined ? 0 : SAMPLED
    return decided ?? TraceRecord.root(ids, serial, sampled | RANDOM)
  }

  /**
   * Decides a root: undefined drops it; null records it without more to know; a trace has its flags and state, and is recorded
   * where they say so.
   */
  root(
    ids: IdSource,
    serial: number,
    name: string,
    options: SpanOptions | undefined,
  ): TraceRecord | null | undefined {
    if (this.#threshold !== null) {
      const keeps = this.#threshold.keeps(ids.traceWord(serial, 2), ids.traceWord(serial, 3))
      if (!keeps) return undefined
    }
    if (this.mode !== ASK) {
      if (this.#state === undefined) return null
      const trace = TraceRecord.root(ids, serial, SAMPLED | RANDOM | RECORDED)
      trace.state = this.#state
      return trace
    }
    const trace = TraceRecord.root(ids, serial, SAMPLED | RANDOM | RECORDED)
    if (this.#ask(trace, trace, name, undefined, options)) return trace
    if (trace.state === undefined) return undefined
    trace.flags = RANDOM
    return trace
  }

  /** Decides a span with a parent where the sampler does not follow parents. Returns the trace with its new flags and state. */
  child(parent: TracerSpan, name: string, options: SpanOptions | undefined): TraceRecord {
    const trace = parent.trace()
    const told = { state: trace.state }
    const keeps = this.#keepsChild(parent, trace, told, name, options)
    const flags = keeps ? trace.flags | SAMPLED | RECORDED : trace.flags & ~(SAMPLED | RECORDED)
    const same = flags === trace.flags && told.state === trace.state
    return same ? trace : trace.with(flags, told.state)
  }

  #keepsChild(
    parent: TracerSpan,
    trace: TraceRecord,
    told: Pick<TraceRecord, 'state'>,
    name: string,
    options: SpanOptions | undefined,
  ): boolean {
    if (this.mode === NEVER || this.mode === ALWAYS) return this.mode === ALWAYS
    if (this.#threshold !== null && !this.#threshold.keeps(trace.c, trace.d)) return false
    return this.mode === BY_ID || this.#ask(trace, told, name, parent, options)
  }

  /** Asks the sampler; what it says besides its decision goes into `told` and {@link granted}. */
  #ask(
    trace: TraceRecord,
    told: Pick<TraceRecord, 'state'>,
    name: string,
    parent: TracerSpan | undefined,
    options: SpanOptions | undefined,
  ): boolean {
    try {
      const result = this.sampler.sample({
        name,
        kind: kindInput(options?.kind),
        attributes: options?.attributes,
        links: options?.links,
        get parent() {
          return parent?.spanContext()
        },
        get traceId() {
          return trace.traceId
        },
      })
      if (typeof result !== 'object' || result === null) return result === RECORD_AND_SAMPLE
      // One that is asynchronous has decided nothing.
      if (heed(result)) return false
      const keeps = result.decision === RECORD_AND_SAMPLE
      tellState(told, result)
      if (keeps) this.granted = attributesOf(result)
      return keeps
    } catch {
      // The sampler threw, or a getter of the options: starting a span must not, so the span is simply not recorded.
      return false
    }
  }
}

/** The state that a sampler gives its trace. One that cannot be read changes nothing: the decision stands. */
function tellState(told: Pick<TraceRecord, 'state'>, result: SamplingResult): void {
  try {
    const { traceState } = result
    if (traceState !== undefined) told.state = W3CTraceState.from(traceState)
  } catch {
    // A getter of the sampler's, or `null`: see above.
  }
}

function attributesOf(result: SamplingResult): Attributes | undefined {
  try {
    return result.attributes
  } catch {
    // A getter of the sampler's: the decision stands.
    return undefined
  }
}
