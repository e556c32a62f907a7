export { type Clock, monotonicClock, type Timer, type TimeSource } from '@millrace/kit'
export {
  DuplicateMetricError,
  type ErrorCode,
  InvalidOptionError,
  LabelError,
  MetricNameError,
} from './errors.ts'
export type { MetricsHandler } from './export/http-handler.ts'
export type {
  CounterJson,
  GaugeJson,
  HistogramJson,
  MetricJson,
  MetricsJson,
  SeriesJson,
} from './export/json.ts'
export type { Scrape, ScrapeOptions } from './export/scrape.ts'
export type { Counter } from './instrument/counter.ts'
export type { Exemplar, SpanIds } from './instrument/exemplars.ts'
export type { Family, SeriesFactory } from './instrument/family.ts'
export type { Gauge } from './instrument/gauge.ts'
export type { Histogram } from './instrument/histogram.ts'
export type {
  CounterFamily,
  GaugeFamily,
  HistogramFamily,
  TimingFamily,
  UpDownCounterFamily,
} from './instrument/labelled.ts'
export type {
  GaugeOptions,
  HistogramOptions,
  LabelOptions,
  MetricOptions,
} from './instrument/options.ts'
export type { RecentStats } from './instrument/recent-values.ts'
export type { Series } from './instrument/series.ts'
export { type AnyFunction, timed } from './instrument/timed.ts'
export type { Timing, TimingSpan, TimingStats } from './instrument/timing.ts'
export type { UpDownCounter } from './instrument/up-down-counter.ts'
export type { Labels, LabelValue } from './labels/label-index.ts'
export type { Aggregation, FamilyDescription, MetricType } from './metric/family-description.ts'
export type { HistogramEncoding } from './otlp/metric-data.ts'
export type { ResourceAttributes } from './otlp/resource.ts'
export type { Registration } from './registry/registration.ts'
export { Registry } from './registry/registry.ts'
export type {
  OpenMetricsOptions,
  OtlpOptions,
  RegistryOptions,
} from './registry/registry-options.ts'
export {
  COUNTER_WORDS,
  type ObservedPart,
  type ObserveOptions,
  type StatsSource,
} from './registry/stats-source.ts'
export type { CellStore, Cells } from './store/cells.ts'
export { DEFAULT_BUCKETS } from './store/classic.ts'
export type { Distribution } from './store/distribution.ts'
export type { Moment, Timeline } from './time/timeline.ts'
export type { DistributionStats, WindowStats } from './window/window-stats.ts'
