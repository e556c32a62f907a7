import type { Attributes, Link, SpanContext, SpanKind, TraceState } from '../span/api/span.ts'

/** The span is not recorded. */
export const DROP = 0
/** The span is recorded and other processes are told to record, too. */
export const RECORD_AND_SAMPLE = 1
export type SamplingDecision = typeof DROP | typeof RECORD_AND_SAMPLE

/** A decision with what the sampler has to say about it. */
export interface SamplingResult {
  readonly decision: SamplingDecision
  /** Attributes that a recorded span gets; they win over those it was started with. Default: none */
  readonly attributes?: Attributes | undefined
  /** The `tracestate` that travels on from the span, recorded or not. Default: the parent's */
  readonly traceState?: TraceState | undefined
}

/** What a sampler may look at. Reading `traceId` costs a string; built-in samplers do not. */
export interface SamplingRequest {
  readonly name: string
  readonly kind: SpanKind
  readonly attributes: Attributes | undefined
  readonly links: readonly Link[] | undefined
  readonly parent: SpanContext | undefined
  readonly traceId: string
}

/** Decides at the start of a span whether it is recorded. Must be fast and must not throw. */
export interface Sampler {
  readonly description: string
  /**
   * Probability in [0, 1], for samplers that are nothing but one: the tracer then decides from the trace id itself, without
   * a call, and tells it downstream in `tracestate` (`ot=th`).
   */
  readonly probability?: number | undefined
  /** Whether spans with a parent follow the parent's decision, and only roots ask. Default: true */
  readonly parentBased?: boolean | undefined
  sample(request: SamplingRequest): SamplingDecision | SamplingResult
}
