import type { Distribution } from '../store/distribution.ts'
import type { RecentStats } from './recent-values.ts'

/** A distribution of sizes or durations. */
export interface Histogram {
  /**
   * Records one value. O(1), no allocation. What is negative, infinite or no number is dropped and counted in
   * `millrace_metrics_rejected_total`.
   */
  observe(value: number): void
  /** The value below which a share `q` (0 to 1) of all observations lie; `NaN` when there are none. */
  quantile(q: number): number
  /** A copy of the whole distribution. */
  distribution(): Distribution
  /** Exact statistics of the last values, where the histogram was made with `recent`. */
  recent(): RecentStats | undefined
  readonly count: number
  readonly sum: number
}
