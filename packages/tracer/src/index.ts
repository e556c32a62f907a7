export type { Clock, Timer } from './clock.ts'
export { systemClock } from './clock.ts'
export { ExportError, InvalidOptionError } from './errors.ts'
export { ConsoleExporter, type ConsoleExporterOptions } from './export/console-exporter.ts'
export type { Exporter, ExporterStats } from './export/exporter.ts'
export { type FinishedSpan, MemoryExporter } from './export/memory-exporter.ts'
export { Baggage, type BaggageEntry } from './propagation/baggage.ts'
export { extract, type Headers, inject, RemoteParent } from './propagation/carrier.ts'
export type { PropagatorName } from './propagation/propagation.ts'
export { W3CTraceState } from './propagation/trace-state.ts'
export type { Resource } from './resource.ts'
export type { Sampler, SamplingDecision, SamplingRequest } from './sampling/sampler.ts'
export { DROP, RECORD_AND_SAMPLE } from './sampling/sampler.ts'
export { alwaysOff, alwaysOn, rateLimited, ratio } from './sampling/samplers.ts'
export type { TailSamplingOptions } from './sampling/tail-sampling.ts'
export {
  type Attributes,
  type AttributeValue,
  type Link,
  type Scope,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  type SpanStatus,
  StatusCode,
  type TimeInput,
  type TraceState,
} from './span/span.ts'
export type { SpanEvent, SpanLink } from './span/span-details.ts'
export type { SpanLimits } from './span/span-limits.ts'
export { SpanRecord } from './span/span-record.ts'
export { type StartOptions, type Traced, Tracer } from './tracer.ts'
export type { TracerOptions } from './tracer-options.ts'
export type { TracerStats } from './tracer-stats.ts'
export type { TracedOptions } from './wrap/traced.ts'
