import type { CounterSeries } from '../instrument/counter.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import type { Aggregation } from '../metric/family-description.ts'
import { type Distribution, distributionSince, emptyDistribution } from '../store/distribution.ts'
import { FINEST_SCHEMA } from '../store/exponential.ts'

/** The state of a series somewhere else: a number, or a histogram with its classic buckets. */
export type RemoteState = number | RemoteHistogram

export interface RemoteHistogram {
  readonly distribution: Distribution
  readonly classic: ArrayLike<number>
}

/**
 * What one series elsewhere contributes to a series here. Counts are added as they change, so a source that dies keeps
 * what it counted; values of the moment go with their source.
 */
export class Contribution {
  readonly #family: Family
  readonly #labelValues: readonly string[]
  #last: RemoteState

  constructor(family: Family, labelValues: readonly string[]) {
    this.#family = family
    this.#labelValues = labelValues
    this.#last =
      family.description.type === 'histogram'
        ? { distribution: emptyDistribution(FINEST_SCHEMA), classic: [] }
        : 0
  }

  /** Brings the series here up to date with `state` there. */
  update(state: RemoteState): void {
    const series = this.#family.resolve(this.#labelValues)
    if (typeof state !== 'number') this.#addHistogram(series as HistogramSeries, state)
    else if (series.type === 'gauge')
      contributeGauge(this, series as GaugeSeries, this.#aggregate, state)
    else {
      // A zero would mark an idle series as busy. Both may be infinite.
      if (state === this.#last) return
      const change = state - (this.#last as number)
      if (series.type === 'counter') (series as CounterSeries).absorb(change)
      else (series as UpDownCounterSeries).inc(change)
    }
    this.#last = state
  }

  get #aggregate(): Aggregation {
    return this.#family.description.aggregate
  }

  #addHistogram(series: HistogramSeries, state: RemoteHistogram): void {
    const last = this.#last as RemoteHistogram
    if (state.distribution.count === last.distribution.count) return
    const change = distributionSince(state.distribution, last.distribution)
    const classic = Array.from(state.classic, (count, i) => count - (last.classic[i] ?? 0))
    const { min, max } = state.distribution
    series.absorb({ ...change, min, max }, classic)
  }

  /** The source is gone: takes back its gauge or up-down count, and lets it count from zero again. */
  retire(): void {
    const { type } = this.#family.description
    if (type === 'gauge') {
      const series = this.#family.resolve(this.#labelValues) as GaugeSeries
      contributeGauge(this, series, this.#aggregate, undefined)
    } else if (type === 'updown') {
      const series = this.#family.resolve(this.#labelValues) as UpDownCounterSeries
      series.inc(-(this.#last as number))
      this.#last = 0
    }
  }
}

/** The values that the sources of each gauge contribute at the moment, in order of arrival. */
const GAUGES = new WeakMap<GaugeSeries, Map<Contribution, number>>()

function contributeGauge(
  source: Contribution,
  gauge: GaugeSeries,
  aggregate: Aggregation,
  value: number | undefined,
): void {
  let values = GAUGES.get(gauge)
  if (values === undefined) GAUGES.set(gauge, (values = new Map()))
  if (values.get(source) === value) return
  values.delete(source)
  if (value !== undefined) values.set(source, value)
  gauge.set(combine([...values.values()], aggregate))
}

function combine(values: readonly number[], aggregate: Aggregation): number {
  if (values.length === 0) return 0
  switch (aggregate) {
    case 'sum':
      return values.reduce((sum, value) => sum + value, 0)
    case 'min':
      return Math.min(...values)
    case 'max':
      return Math.max(...values)
    case 'last':
      return values.at(-1)!
  }
}
