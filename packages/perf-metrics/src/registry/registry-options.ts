import type { Clock } from '../clock.ts'
import type { SpanIds } from '../instrument/exemplars.ts'
import type { HistogramEncoding } from '../otlp/metric-data.ts'
import type { ResourceAttributes } from '../otlp/resource.ts'
import type { CellStore } from '../store/cells.ts'

export interface RegistryOptions {
  /**
   * Whether to measure at all. `false` hands out instruments whose methods are empty; exports are empty too.
   * Default `true`.
   */
  enabled?: boolean
  /** Most series per metric, 1 to 1,000,000, unless the metric says otherwise. Default 2,000. */
  maxSeries?: number
  /**
   * After how many milliseconds without an update a series with labels disappears, 1,000 or more. It comes back with
   * a new start time when updated again. Default `Infinity`: never.
   */
  retention?: number
  /** Whether to keep 1, 5 and 15 minute windows of counters and histograms. Default `true`. */
  windows?: boolean
  /**
   * Returns the ids of the active span, which exports then name as an example of a counter or of each bucket of a
   * histogram: `() => tracer.activeSpan()?.spanContext()`. Asked at most once a second per counter and bucket. Default: no
   * exemplars.
   */
  activeSpan?: () => SpanIds | undefined
  /**
   * Whether a scraper that asks for OpenMetrics 2.0 gets it. The specification is a release candidate (March 2026) and
   * may change. Default `false`: such scrapers get the next format on their list.
   */
  openMetrics2?: boolean
  /**
   * Where the numbers live: a lane of memory shared with other threads (`claimLane` in `/workers`). Excludes `retention`.
   * Default: the heap.
   */
  store?: CellStore
  /** Source of time. Default: the system's. */
  clock?: Clock
}

export interface OpenMetricsOptions {
  /** `2.0` puts a histogram, native buckets and all, on one line. Default `1.0`. */
  version?: '1.0' | '2.0'
}

export interface OtlpOptions {
  /** Default `exponential`. */
  histograms?: HistogramEncoding
  /** Attributes of this process. Default: none. */
  resource?: ResourceAttributes
}
