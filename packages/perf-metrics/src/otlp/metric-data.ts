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

/** A metric and its points, before they take one of the two encodings of OTLP. */
export interface MetricData {
  readonly name: string
  readonly description: string
  readonly unit: string
  readonly type: MetricType
  readonly labelNames: readonly string[]
  readonly points: readonly Point[]
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

interface Exported {
  readonly time: number
  readonly value: number
  readonly distribution: Distribution | undefined
  readonly classic: readonly number[]
}

/** Reads the metrics, and with delta temporality remembers what was delivered. One per destination. */
export class MetricDataReader {
  readonly #temporality: Temporality
  #delivered = new WeakMap<Series, Exported>()

  constructor(temporality: Temporality) {
    this.#temporality = temporality
  }

  /**
   * The metrics as of `now`. Call `delivered` once the destination has them: until then the next reading contains the
   * same changes again.
   */
  read(
    families: readonly Family[],
    now: number,
  ): { metrics: MetricData[]; points: number; delivered(): void } {
    const states = new Map<Series, Exported>()
    const metrics: MetricData[] = []
    let points = 0
    for (const family of families) {
      const { name, help, unit, type, labelNames } = family.description
      const data: Point[] = []
      for (const series of family.series()) {
        const point = this.#point(series, now, states)
        if (point !== undefined) data.push(point)
      }
      if (data.length === 0) continue
      points += data.length
      metrics.push({
        name: baseName(name),
        description: help,
        unit: UNITS[unit] ?? '',
        type,
        labelNames,
        points: data,
      })
    }
    const delivered = (): void => {
      for (const [series, state] of states) this.#delivered.set(series, state)
    }
    return { metrics, points, delivered }
  }

  #point(series: Series, now: number, states: Map<Series, Exported>): Point | undefined {
    if (series.type === 'gauge' || series.type === 'updown') {
      const { value } = series as GaugeSeries | UpDownCounterSeries
      return { labelValues: series.labelValues, start: series.created, value, exemplars: [] }
    }
    const isHistogram = series.type === 'histogram'
    const state: Exported = isHistogram
      ? histogramState(series as HistogramSeries, now)
      : { time: now, value: (series as CounterSeries).value, distribution: undefined, classic: [] }
    let before: Exported | undefined
    if (this.#temporality === 'delta') {
      states.set(series, state)
      before = this.#delivered.get(series)
      // A series that expired and came back began anew.
      if (before !== undefined && before.time < series.created) before = undefined
    }
    const start = before?.time ?? series.created
    const { labelValues } = series
    if (!isHistogram) {
      const exemplars = exemplarsSince(start, series as CounterSeries)
      return { labelValues, start, value: state.value - (before?.value ?? 0), exemplars }
    }
    return histogramPoint(series as HistogramSeries, start, state, before)
  }
}

function histogramState(series: HistogramSeries, now: number): Exported {
  const distribution = series.distribution()
  const classic = Array.from(series.shape.classic.bounds, (_, i) => series.classicCount(i))
  return { time: now, value: distribution.count, distribution, classic }
}

function histogramPoint(
  series: HistogramSeries,
  start: number,
  state: Exported,
  before: Exported | undefined,
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
