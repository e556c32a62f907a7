import type { CounterSeries } from '../instrument/counter.ts'
import type { Exemplar } from '../instrument/exemplars.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Series } from '../instrument/series.ts'
import type { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import type { MetricType } from '../metric/family-description.ts'
import { baseName } from '../metric/name.ts'
import { type Distribution, distributionSince, fit } from '../store/distribution.ts'
import type { Moment } from '../time/timeline.ts'
import { type Convention, conventionOf } from './conventions.ts'

/** Whether a point tells what happened since the series began, or since the last export. */
export type Temporality = 'cumulative' | 'delta'

/** How histograms are sent. Backends without exponential histograms want `explicit`. */
export type HistogramEncoding = 'exponential' | 'explicit'

/** A metric before it takes one of the two encodings of OTLP. */
export interface MetricData {
  readonly name: string
  readonly description: string
  readonly unit: string
  readonly type: MetricType
  readonly labelNames: readonly string[]
  /** What is sent in place of the labels, where a convention has other names for them. */
  readonly attributes: Convention['attributes']
  /** Read as they are iterated. `undefined` is a series with nothing to tell, and an opportunity to pause as others are. */
  readonly points: Iterable<Point | undefined>
}

export type Point = NumberPoint | HistogramPoint

interface PointBase {
  readonly labelValues: readonly string[]
  /** ms since 1970; not after the time of the reading, even where the machine's time was set back. */
  readonly start: number
  /** Those since the start. */
  readonly exemplars: readonly Exemplar[]
}

export interface NumberPoint extends PointBase {
  readonly value: number
}

export interface HistogramPoint extends PointBase {
  readonly distribution: Distribution
  /** Counts per classic bucket, not cumulative, where histograms are sent as those, and the bounds between them. */
  readonly classic: Float64Array
  readonly bounds: Float64Array
}

/** Most buckets of an exponential point: what OpenTelemetry's own SDKs send at most. */
const MAX_BUCKETS = 160

/** UCUM units by the suffixes of Prometheus names. */
const UNITS: Readonly<Record<string, string>> = {
  seconds: 's',
  bytes: 'By',
  ratio: '1',
  celsius: 'Cel',
  joules: 'J',
  meters: 'm',
  volts: 'V',
  amperes: 'A',
}

/** One look at the metrics: read while they are iterated, once, so that the encoder can pause between points. */
export interface Reading {
  readonly metrics: Iterable<MetricData>
  /** How many points were read so far. */
  points: number
  /** To be set once the destination has them. Until then the next reading contains the same changes again. */
  delivered: boolean
}

/** What a reading found of a series. */
interface State extends Moment {
  readonly value: number
  /** Of a histogram. */
  readonly distribution?: Distribution
  readonly classic?: Float64Array
}

const NONE: readonly Exemplar[] = []
const NO_COUNTS = new Float64Array(0)

/** The last two states of a series that matter: the one that was read last, and the last before it that arrived. */
interface Track {
  reading: Reading
  current: State
  arrived: State | undefined
}

/** Reads the metrics, and with delta temporality remembers what was delivered. One per destination. */
export class MetricDataReader {
  readonly #temporality: Temporality
  readonly #histograms: HistogramEncoding
  readonly #tracks = new WeakMap<Series, Track>()

  constructor(temporality: Temporality, histograms: HistogramEncoding) {
    this.#temporality = temporality
    this.#histograms = histograms
  }

  /**
   * The metrics as of `now`. Series that begin later are left to the next reading: their points would begin after they
   * end. A point is good until the next one is asked for, or something is counted.
   */
  read(families: readonly Family[], now: Moment): Reading {
    const metrics = (reader: MetricDataReader): Iterable<MetricData> => ({
      *[Symbol.iterator]() {
        for (const family of families) yield reader.#metric(family, now, reading)
      },
    })
    const reading: Reading = { metrics: metrics(this), points: 0, delivered: false }
    return reading
  }

  #metric(family: Family, now: Moment, reading: Reading): MetricData {
    const { name, help, unit, type, labelNames } = family.description
    const convention = conventionOf(family.description)
    return {
      name: convention.name ?? baseName(name),
      attributes: convention.attributes,
      description: help,
      unit: UNITS[unit] ?? '',
      type,
      labelNames,
      points: this.#points(family, now, reading),
    }
  }

  *#points(family: Family, now: Moment, reading: Reading): Generator<Point | undefined> {
    for (const series of family.series()) {
      const point = series.begun > now.elapsed ? undefined : this.#point(series, now, reading)
      if (point !== undefined) reading.points++
      yield point
    }
  }

  #point(series: Series, now: Moment, reading: Reading): Point | undefined {
    if (series.type === 'histogram') {
      return this.#histogramPoint(series as HistogramSeries, now, reading)
    }
    const { labelValues, created } = series
    if (series.type !== 'counter') {
      const { value } = series as GaugeSeries | UpDownCounterSeries
      return { labelValues, start: Math.min(created, now.date), value, exemplars: NONE }
    }
    const { value } = series as CounterSeries
    const before = this.#advance(series, reading, () => ({ ...now, value }))
    const start = Math.min(before?.date ?? created, now.date)
    const exemplars = exemplarsSince(start, series as CounterSeries)
    return { labelValues, start, value: value - (before?.value ?? 0), exemplars }
  }

  #histogramPoint(
    series: HistogramSeries,
    now: Moment,
    reading: Reading,
  ): HistogramPoint | undefined {
    const { labelValues, created } = series
    const explicit = this.#histograms === 'explicit'
    const before = this.#advance(series, reading, last => {
      const value = series.count
      // Nothing was counted since the last look: neither are the buckets other ones.
      if (last?.value === value) return { ...last, ...now }
      const classic = explicit ? series.classicCounts() : NO_COUNTS
      return { ...now, value, distribution: series.distribution(), classic }
    })
    const start = Math.min(before?.date ?? created, now.date)
    const live = series.liveDistribution()
    const distribution = before === undefined ? live : distributionSince(live, before.distribution!)
    if (before !== undefined && distribution.count === 0) return undefined
    return {
      labelValues,
      start,
      distribution: fit(distribution, MAX_BUCKETS),
      classic: explicit ? countsSince(series.classicCounts(), before?.classic) : NO_COUNTS,
      bounds: series.shape.classic.finite,
      exemplars: exemplarsSince(start, series),
    }
  }

  /** With delta temporality, keeps the state and returns the last one that arrived. */
  #advance(
    series: Series,
    reading: Reading,
    state: (last: State | undefined) => State,
  ): State | undefined {
    if (this.#temporality !== 'delta') return undefined
    const track = this.#tracks.get(series)
    if (track === undefined) {
      this.#tracks.set(series, { reading, current: state(undefined), arrived: undefined })
      return undefined
    }
    if (track.reading.delivered) track.arrived = track.current
    track.reading = reading
    track.current = state(ofSameLife(track.current, series))
    return ofSameLife(track.arrived, series)
  }
}

/** A series that expired and came back began anew. */
function ofSameLife(state: State | undefined, { begun }: Series): State | undefined {
  return state !== undefined && state.elapsed >= begun ? state : undefined
}

function countsSince(counts: Float64Array, before: Float64Array | undefined): Float64Array {
  return before === undefined ? counts : counts.map((count, i) => count - before[i]!)
}

function exemplarsSince(
  start: number,
  { exemplars }: CounterSeries | HistogramSeries,
): readonly Exemplar[] {
  return exemplars === undefined
    ? NONE
    : [...exemplars].filter(({ timestamp }) => timestamp >= start)
}
