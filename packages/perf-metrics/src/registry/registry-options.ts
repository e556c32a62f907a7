import type { Clock, OptionNames, TimeSource } from '@millrace/kit'
import type { SpanIds } from '../instrument/exemplars.ts'
import type { HistogramEncoding } from '../otlp/metric-data.ts'
import type { ResourceAttributes } from '../otlp/resource.ts'
import type { CellStore } from '../store/cells.ts'

export interface RegistryOptions {
  /** Whether to measure at all. `false` hands out instruments whose methods are empty; exports are empty too. Default: true */
  readonly enabled?: boolean | undefined
  /** Most series per metric, 1 to 1,000,000, unless the metric says otherwise. Default: 2,000 */
  readonly maxSeries?: number | undefined
  /**
   * After how many ms without an update a series with labels disappears, 1,000 or more. It comes back with a new start
   * time when updated again. Time that the process was asleep or blocked does not count. Default: Infinity, never
   */
  readonly retention?: number | undefined
  /** Whether to keep 1, 5 and 15 minute windows of counters and histograms. Default: true */
  readonly windows?: boolean | undefined
  /**
   * Returns the ids of the active span, which exports then name as an example of a counter or of each bucket of a
   * histogram: `() => tracer.activeSpan()?.spanContext()`. Asked until it names one, and then
   * not again within a second, per counter and bucket. Default: no exemplars
   */
  readonly activeSpan?: (() => SpanIds | undefined) | undefined
  /**
   * Whether a scraper that asks for OpenMetrics 2.0 gets it. The specification is a release candidate (March 2026) and
   * may change. Default: false, such scrapers get the next format on their list
   */
  readonly openMetrics2?: boolean | undefined
  /**
   * Where the numbers live: a lane of memory shared with other threads (`claimLane` in `/workers`). Excludes `retention`.
   * Default: the heap
   */
  readonly store?: CellStore | undefined
  /** Source of durations and timers: windows, rates, retention. One that steps back is taken to stand still. Default: the monotonic clock */
  readonly clock?: Clock | undefined
  /** Source of the dates in exports, in ms since 1970. Default: `clock` where that is given, else the system's */
  readonly wallClock?: TimeSource | undefined
}

export const REGISTRY_OPTIONS: OptionNames<RegistryOptions> = {
  enabled: true,
  maxSeries: true,
  retention: true,
  windows: true,
  activeSpan: true,
  openMetrics2: true,
  store: true,
  clock: true,
  wallClock: true,
}

export interface OpenMetricsOptions {
  /** `2.0` puts a histogram, native buckets and all, on one line. Default: `1.0` */
  readonly version?: '1.0' | '2.0' | undefined
}

export interface OtlpOptions {
  /** Default: `exponential` */
  readonly histograms?: HistogramEncoding | undefined
  /** Attributes of this process. Default: none */
  readonly resource?: ResourceAttributes | undefined
}
