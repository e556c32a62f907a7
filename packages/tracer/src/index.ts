export { type Clock, InvalidOptionError, type Timer, type TimeSource } from '@millrace/kit'
export { Baggage, type BaggageEntry } from './context/baggage.ts'
export { ConsoleExporter, type ConsoleExporterOptions } from './export/console-exporter.ts'
export type { Exporter, ExporterStats } from './export/exporter.ts'
export {
  type FinishedEvent,
  type FinishedLink,
  type FinishedSpan,
  MemoryExporter,
} from './export/memory-exporter.ts'
export type { Resource } from './export/resource.ts'
export { SpanExportError } from './export/span-export-error.ts'
export type { SlowSpan } from './pipeline/slow-spans.ts'
export type { TracerStats } from './pipeline/tracer-stats.ts'
export { extract, inject } from './propagation/carrier.ts'
export type { IncomingHeaders, OutgoingHeaders } from './propagation/headers.ts'
export type { Propagation, PropagatorName } from './propagation/propagation.ts'
export { RemoteParent } from './propagation/remote-parent.ts'
export type {
  Sampler,
  SamplingDecision,
  SamplingRequest,
  SamplingResult,
} from './sampling/sampler.ts'
export { DROP, RECORD_AND_SAMPLE } from './sampling/sampler.ts'
export { alwaysOff, alwaysOn, type RatioOptions, rateLimited, ratio } from './sampling/samplers.ts'
export type { TailSamplingOptions } from './sampling/tail-sampling.ts'
export {
  type Attributes,
  type AttributeValue,
  type Link,
  type Scope,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanLike,
  type SpanOptions,
  type SpanStatus,
  StatusCode,
  type TimeInput,
  type TraceState,
} from './span/api/span.ts'
export { AttributeList } from './span/attributes/attribute-list.ts'
export { W3CTraceState } from './span/ids/trace-state.ts'
export type { SpanDetails, SpanEvent, SpanLink } from './span/recorded/span-details.ts'
export type { SpanLimits } from './span/recorded/span-limits.ts'
export { SpanRecord } from './span/recorded/span-record.ts'
export { type EpochClock, epochClock } from './time/clock.ts'
export type { ScopedTracer, StartOptions, Traced } from './tracer/scoped-tracer.ts'
export { Tracer } from './tracer/tracer.ts'
export type { TracerOptions } from './tracer/tracer-options.ts'
export type { AnyFunction, TracedOptions } from './wrap/traced.ts'
