import type { CounterSeries } from '../instrument/counter.ts'
import type { Exemplar } from '../instrument/exemplars.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { MetricType, Series } from '../instrument/series.ts'
import type { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import { baseName } from '../name.ts'
import { type Distribution, fit } from '../store/distribution.ts'
import { distributionSince } from '../window/window-ring.ts'

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
  /** Read as they are iterated. `undefined` is a series with nothing to tell, and an opportunity to pause as others are. */
  readonly points: Iterable<Point | undefined>
}

export type Point = NumberPoint | HistogramPoint

interface PointBase {
  readonly labelValues: readonly string[]
  /** Milliseconds since the epoch. */
  readonly start: number
  /** Those since the start. */
  readonly exemplars: readonly Exemplar[]
}

export interface NumberPoint extends PointBase {
  readonly value: number
}

export interface HistogramPoint extends PointBase {
  readonly distribution: Distribution
  /** Counts per classic bucket, not cumulative, and the bounds between them. */
  readonly classic: readonly number[]
  readonly bounds: readonly number[]
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

/** One look at the metrics: read while they are iterated, once, so that whoever encodes them can pause between points. */
export interface Reading {
  readonly metrics: Iterable<MetricData>
  /** How many points were read so far. */
  points: number
  /** To be set once the destination has them. Until then the next reading contains the same changes again. */
  delivered: boolean
}

/** What a reading found of a series. */
interface State {
  readonly time: number
  readonly value: number
  readonly distribution: Distribution | undefined
  readonly classic: readonly number[]
}

/** The last two states of a series that matter: the one that was read last, and the last before it that arrived. */
interface Track {
  reading: Reading
  current: State
  arrived: State | undefined
}

/** Reads the metrics, and with delta temporality remembers what was delivered. One per destination. */
export class MetricDataReader {
  readonly #temporality: Temporality
  readonly #tracks = new WeakMap<Series, Track>()

  constructor(temporality: Temporality) {
    this.#temporality = temporality
  }

  /** The metrics as of `now`. Series that begin later are left to the next reading. */
  read(families: readonly Family[], now: number): Reading {
    const metrics = (reader: MetricDataReader): Iterable<MetricData> => ({
      *[Symbol.iterator]() {
        for (const family of families) yield reader.#metric(family, now, reading)
      },
    })
    const reading: Reading = { metrics: metrics(this), points: 0, delivered: false }
    return reading
  }

  #metric(family: Family, now: number, reading: Reading): MetricData {
    const { name, help, unit, type, labelNames } = family.description
    return {
      name: baseName(name),
      description: help,
      unit: UNITS[unit] ?? '',
      type,
      labelNames,
      points: this.#points(family, now, reading),
    }
  }

  *#points(family: Family, now: number, reading: Reading): Generator<Point | undefined> {
    for (const series of family.series()) {
      const point = series.created > now ? undefined : this.#point(series, now, reading)
      if (point !== undefined) reading.points++
      yield point
    }
  }

  #point(series: Series, now: number, reading: Reading): Point | undefined {
    const { labelValues, created } = series
    if (series.type === 'gauge' || series.type === 'updown') {
      const { value } = series as GaugeSeries | UpDownCounterSeries
      return { labelValues, start: created, value, exemplars: [] }
    }
    const isHistogram = series.type === 'histogram'
    const state: State = isHistogram
      ? histogramState(series as HistogramSeries, now)
      : { time: now, value: (series as CounterSeries).value, distribution: undefined, classic: [] }
    let before = this.#temporality === 'delta' ? this.#advance(series, state, reading) : undefined
    // A series that expired and came back began anew.
    if (before !== undefined && before.time < created) before = undefined
    const start = before?.time ?? created
    if (!isHistogram) {
      const exemplars = exemplarsSince(start, series as CounterSeries)
      return { labelValues, start, value: state.value - (before?.value ?? 0), exemplars }
    }
    return histogramPoint(series as HistogramSeries, start, state, before)
  }

  /** Keeps the state and returns the last one that arrived. */
  #advance(series: Series, current: State, reading: Reading): State | undefined {
    const track = this.#tracks.get(series)
    if (track === undefined) {
      this.#tracks.set(series, { reading, current, arrived: undefined })
      return undefined
    }
    if (track.reading.delivered) track.arrived = track.current
    track.reading = reading
    track.current = current
    return track.arrived
  }
}

function histogramState(series: HistogramSeries, now: number): State {
  const distribution = series.distribution()
  const classic = Array.from(series.shape.classic.bounds, (_, i) => series.classicCount(i))
  return { time: now, value: distribution.count, distribution, classic }
}

function histogramPoint(
  series: HistogramSeries,
  start: number,
  state: State,
  before: State | undefined,
): HistogramPoint | undefined {
  const whole = state.distribution!
  const distribution = before === undefined ? whole : distributionSince(whole, before.distribution!)
  if (before !== undefined && distribution.count === 0) return undefined
  return {
    labelValues: series.labelValues,
    start,
    distribution: fit(distribution, MAX_BUCKETS),
    classic: state.classic.map((count, i) => count - (before?.classic[i] ?? 0)),
    bounds: Array.from(series.shape.classic.bounds).slice(0, -1),
    exemplars: exemplarsSince(start, series),
  }
}

function exemplarsSince(start: number, { exemplars }: CounterSeries | HistogramSeries): Exemplar[] {
  return exemplars === undefined ? [] : [...exemplars].filter(({ timestamp }) => timestamp >= start)
}
