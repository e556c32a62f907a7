import type { OptionNames } from '@millrace/kit'
import type { Aggregation } from '../metric/family-description.ts'

/** What every instrument takes. */
export interface MetricOptions {
  /** One line for readers of the metric. Default: the name in words */
  readonly help?: string | undefined
  /** Base unit in the plural, as in the name's suffix: `seconds`, `bytes`, `ratio`. Default: read from the name */
  readonly unit?: string | undefined
  /**
   * Most series this metric may have, 1 to 1,000,000. What has no room is counted in one overflow series, whose label
   * values are all `__overflow__`, and in `millrace_metrics_overflow_total`. Default: the registry's `maxSeries`
   */
  readonly maxSeries?: number | undefined
  /** Called before every export, to bring the instrument up to date. Default: none */
  readonly collect?: (() => void) | undefined
}

export interface LabelOptions<L extends string> {
  /** Names of the labels. Fixed for the life of the metric. */
  readonly labels: readonly L[]
}

export interface GaugeOptions extends MetricOptions {
  /** How the values of several threads or processes become one. Default: `sum` */
  readonly aggregate?: Aggregation | undefined
}

export interface HistogramOptions extends MetricOptions {
  /**
   * Bounds of the classic (`le`) buckets, which are counted exactly beside the exponential ones: positive, ascending,
   * at most 250. Default: `DEFAULT_BUCKETS`, for seconds
   */
  readonly buckets?: readonly number[] | undefined
  /**
   * Most exponential buckets per series, 80 to 4,096. While the values span no more than `maxBuckets / 32` powers of
   * two, quantiles are within 1.1 %; each doubling of the span beyond that doubles the error. 8 bytes each, taken as values
   * spread. Default: 640, which keeps six decades within 1.1 %
   */
  readonly maxBuckets?: number | undefined
  /** How many of the last values to keep for exact statistics (`recent()`), 0 to 100,000. Default: 0 */
  readonly recent?: number | undefined
}

type Names<O> = OptionNames<O & LabelOptions<string>>

export const INSTRUMENT_OPTIONS: Names<MetricOptions> = {
  help: true,
  unit: true,
  maxSeries: true,
  collect: true,
  labels: true,
}
export const GAUGE_OPTIONS: Names<GaugeOptions> = { ...INSTRUMENT_OPTIONS, aggregate: true }
export const HISTOGRAM_OPTIONS: Names<HistogramOptions> = {
  ...INSTRUMENT_OPTIONS,
  buckets: true,
  maxBuckets: true,
  recent: true,
}
