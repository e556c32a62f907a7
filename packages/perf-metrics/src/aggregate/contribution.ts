import type { CounterSeries } from '../instrument/counter.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import type { MetricType } from '../metric/family-description.ts'
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
  /** Whether there is a series here: one that counts nothing there is here from the start, too, as zero. */
  #begun = false

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
    const { type } = this.#family.description
    if (typeof state !== 'number') this.#addHistogram(state)
    else if (type === 'gauge')
      this.#gauge().contribute(this, state, this.#family.description.aggregate)
    // A series that stands still there must be able to expire here. Both may be infinite.
    else if (state !== this.#last || !this.#begun) this.#count(type, state)
    this.#begun = true
    this.#last = state
  }

  #count(type: MetricType, state: number): void {
    const series = this.#family.resolve(this.#labelValues)
    // A zero would mark an idle series as busy.
    if (state === this.#last) return
    const change = state - (this.#last as number)
    if (type === 'counter') (series as CounterSeries).absorb(change)
    else (series as UpDownCounterSeries).inc(change)
  }

  #gauge(): GaugeSeries {
    return this.#family.resolve(this.#labelValues) as GaugeSeries
  }

  #addHistogram(state: RemoteHistogram): void {
    const last = this.#last as RemoteHistogram
    const idle = state.distribution.count === last.distribution.count
    if (idle && this.#begun) return
    const series = this.#family.resolve(this.#labelValues) as HistogramSeries
    if (idle) return
    const change = distributionSince(state.distribution, last.distribution)
    const classic = Array.from(state.classic, (count, i) => count - (last.classic[i] ?? 0))
    const { min, max } = state.distribution
    series.absorb({ ...change, min, max }, classic)
  }

  /** The source is gone: takes back its gauge or up-down count, and lets it count from zero again. */
  retire(): void {
    const { type, aggregate } = this.#family.description
    if (type === 'gauge') {
      const gauge = this.#family.peek(this.#labelValues) as GaugeSeries | undefined
      gauge?.contribute(this, undefined, aggregate)
      // Of a value that nobody has any more there is nothing to tell.
      if (gauge?.isSet === false) this.#family.drop(gauge)
    } else if (type === 'updown' && this.#last !== 0) {
      const series = this.#family.resolve(this.#labelValues) as UpDownCounterSeries
      series.inc(-(this.#last as number))
      this.#last = 0
    }
  }
}
