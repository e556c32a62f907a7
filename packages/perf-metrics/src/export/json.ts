import type { CounterSeries } from '../instrument/counter.ts'
import type { Exemplar, ExemplarReservoir } from '../instrument/exemplars.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Series } from '../instrument/series.ts'
import type { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import type { MetricType } from '../metric/family-description.ts'
import { quantile } from '../store/distribution.ts'
import type { Timeline } from '../time/timeline.ts'
import { allWindows } from '../window/window-stats.ts'

/** All metrics as plain data. Times in milliseconds since the epoch; what is not known yet is `null`. */
export interface MetricsJson {
  /** When this was taken. */
  timestamp: number
  /** Milliseconds since the registry was made. */
  uptime: number
  metrics: MetricJson[]
}

export interface MetricJson {
  name: string
  type: MetricType
  help: string
  unit: string
  series: SeriesJson[]
}

export type SeriesJson = CounterJson | GaugeJson | HistogramJson

interface SeriesBase {
  labels: Record<string, string>
  created: number
  /** The last 1, 5 and 15 minutes of a counter or histogram; statistics as in `WindowStats`, unknown ones `null`. */
  windows?: Record<string, Record<string, number | null>>
}

export interface CounterJson extends SeriesBase {
  value: number
  /** Present where there are any. */
  exemplars?: Exemplar[]
}

export interface GaugeJson extends SeriesBase {
  value: number
  min: number | null
  max: number | null
  lastUpdate: number | null
}

export interface HistogramJson extends SeriesBase {
  count: number
  sum: number
  mean: number | null
  min: number | null
  max: number | null
  p50: number | null
  p90: number | null
  p95: number | null
  p99: number | null
  p999: number | null
  /** Cumulative counts by inclusive upper bound; the last is `count`. */
  buckets: { le: number | '+Inf'; count: number }[]
  /** The exponential buckets: see `Distribution`. */
  exponential: { schema: number; low: number; counts: number[]; zeros: number }
  /** Present where there are any. */
  exemplars?: Exemplar[]
}

export function toJson(
  { timeline, uptime }: { readonly timeline: Timeline; readonly uptime: number },
  families: readonly Family[],
  windows: boolean,
): MetricsJson {
  const now = timeline.now()
  return {
    timestamp: timeline.date(),
    uptime,
    metrics: families.map(family => {
      const { name, type, help, unit } = family.description
      return {
        name,
        type,
        help,
        unit,
        series: Array.from(family.series(), series => ({
          ...seriesJson(family, series),
          ...(windows ? windowsJson(series, now) : undefined),
        })),
      }
    }),
  }
}

function seriesJson(family: Family, series: Series): SeriesJson {
  const base = { labels: labelsOf(family, series), created: series.created }
  switch (series.type) {
    case 'counter': {
      const { value, exemplars } = series as CounterSeries
      return { ...base, value, ...exemplarsJson(exemplars) }
    }
    case 'updown':
      return { ...base, value: (series as UpDownCounterSeries).value }
    case 'gauge': {
      const { value, min, max, lastUpdate } = series as GaugeSeries
      return {
        ...base,
        value,
        min: known(min),
        max: known(max),
        lastUpdate: lastUpdate === 0 ? null : lastUpdate,
      }
    }
    case 'histogram':
      return { ...base, ...histogramJson(series as HistogramSeries) }
  }
}

function windowsJson(series: Series, now: number): Pick<SeriesBase, 'windows'> | undefined {
  const windows = allWindows(series, now)
  if (windows === undefined) return undefined
  const json: Record<string, Record<string, number | null>> = {}
  for (const [name, stats] of Object.entries(windows)) {
    json[name] = Object.fromEntries(Object.entries(stats).map(([key, v]) => [key, known(v)]))
  }
  return { windows: json }
}

/** The labels of a series by name. From a null prototype, as names come from users. */
function labelsOf(family: Family, series: Series): Record<string, string> {
  const labels: Record<string, string> = Object.create(null)
  family.description.labelNames.forEach((name, i) => {
    labels[name] = series.labelValues[i]!
  })
  return labels
}

function histogramJson(series: HistogramSeries): Omit<HistogramJson, keyof SeriesBase> {
  const d = series.liveDistribution()
  let seen = 0
  const buckets = Array.from(series.shape.classic.bounds, (le, i) => ({
    le: le === Infinity ? ('+Inf' as const) : le,
    count: (seen += series.classicCount(i)),
  }))
  return {
    count: d.count,
    sum: d.sum,
    mean: known(d.sum / d.count),
    min: known(d.min),
    max: known(d.max),
    p50: known(quantile(d, 0.5)),
    p90: known(quantile(d, 0.9)),
    p95: known(quantile(d, 0.95)),
    p99: known(quantile(d, 0.99)),
    p999: known(quantile(d, 0.999)),
    buckets,
    exponential: { schema: d.schema, low: d.low, counts: Array.from(d.counts), zeros: d.zeros },
    ...exemplarsJson(series.exemplars),
  }
}

function exemplarsJson(
  exemplars: ExemplarReservoir | undefined,
): { exemplars: Exemplar[] } | undefined {
  return exemplars === undefined || exemplars.size === 0 ? undefined : { exemplars: [...exemplars] }
}

/** JSON has no NaN. */
function known(value: number): number | null {
  return Number.isNaN(value) ? null : value
}
