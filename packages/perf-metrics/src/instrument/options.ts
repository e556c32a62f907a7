import type { Aggregation } from './family.ts'

/** What every instrument takes. */
export interface InstrumentOptions {
  /** One line for whoever reads the metric. Default: the name in words. */
  help?: string
  /** Base unit in the plural, as in the name's suffix: `seconds`, `bytes`, `ratio`. Default: read from the name. */
  unit?: string
  /**
   * Most series this metric may have, 1 to 1,000,000. What has no room is counted in one overflow series, whose label
   * values are all `__overflow__`, and in `millrace_metrics_overflow_total`. Default: the registry's `maxSeries`.
   */
  maxSeries?: number
  /** Called before every export, to bring the instrument up to date. */
  collect?: () => void
}

export interface LabelOptions<L extends string> {
  /** Names of the labels. Fixed for the life of the metric. */
  labels: readonly L[]
}

export interface GaugeOptions extends InstrumentOptions {
  /** How gauges of several threads or processes become one. Default `sum`. */
  aggregate?: Aggregation
}

export interface HistogramOptions extends InstrumentOptions {
  /**
   * Bounds of the classic (`le`) buckets, which are counted exactly beside the exponential ones: positive, ascending,
   * at most 250. Default: `DEFAULT_BUCKETS`, for seconds.
   */
  buckets?: readonly number[]
  /**
   * Most exponential buckets per series, 80 to 4,096. While the values span no more than `maxBuckets / 32` powers of
   * two, quantiles are within 1.1 %; each doubling of the span beyond that doubles the error. Default 640, which
   * keeps six decades within 1.1 %; 8 bytes each, taken as values spread.
   */
  maxBuckets?: number
  /** How many of the last values to keep for exact statistics (`recent()`), 0 to 100,000. Default 0. */
  recent?: number
}
