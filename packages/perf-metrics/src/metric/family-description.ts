/** What a metric counts, in the terms of the exposition formats. */
export type MetricType = 'counter' | 'updown' | 'gauge' | 'histogram'

/** How the values of one gauge in several threads or processes become one. */
export type Aggregation = 'sum' | 'min' | 'max' | 'last'

/** What a metric is, as exporters see it. */
export interface FamilyDescription {
  readonly name: string
  readonly type: MetricType
  readonly help: string
  readonly unit: string
  readonly labelNames: readonly string[]
  /** Most series with distinct labels; the rest share the overflow series. */
  readonly maxSeries: number
  readonly aggregate: Aggregation
  /** Bounds of the classic buckets, without the open one; empty unless a histogram. */
  readonly buckets: readonly number[]
  /** Of a timing's durations, the counter of its failures: what makes a metric an operation is that it is a timing, not its name. */
  readonly failures?: string | undefined
}
