import type { HistogramJson, MetricJson, MetricsJson, SeriesJson } from './json.ts'

/** A line per series, for people. */
export function summarize(metrics: MetricsJson): string {
  const lines = [`up ${duration(metrics.uptime / 1000)}`]
  for (const metric of metrics.metrics) {
    for (const series of metric.series) lines.push(line(metric, series))
  }
  return `${lines.join('\n')}\n`
}

function line(metric: MetricJson, series: SeriesJson): string {
  const labels = Object.entries(series.labels).map(([name, value]) => `${name}=${value}`)
  const name = labels.length === 0 ? metric.name : `${metric.name}{${labels.join(' ')}}`
  if ('buckets' in series) return `${name}: ${distribution(metric, series)}`
  const value = quantity(series.value, metric.unit)
  if (!('lastUpdate' in series) || series.min === null || series.max === null) {
    return `${name}: ${value}`
  }
  return `${name}: ${value} (${quantity(series.min, metric.unit)} … ${quantity(series.max, metric.unit)})`
}

function distribution({ unit }: MetricJson, series: HistogramJson): string {
  if (series.count === 0) return 'none'
  const show = (value: number | null): string => quantity(value ?? NaN, unit)
  return (
    `${series.count} ×, mean ${show(series.mean)}, p50 ${show(series.p50)}, ` +
    `p95 ${show(series.p95)}, p99 ${show(series.p99)}, max ${show(series.max)}`
  )
}

/** A value with its unit at a legible scale. */
export function quantity(value: number, unit: string): string {
  if (unit === 'seconds') return duration(value)
  if (unit === 'bytes') return scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB'])
  if (unit === 'ratio') return `${digits(value * 100)} %`
  return Number.isInteger(value) ? value.toLocaleString('en') : digits(value)
}

function duration(seconds: number): string {
  const size = Math.abs(seconds)
  if (size >= 86_400) return `${digits(seconds / 86_400)} d`
  if (size >= 3600) return `${digits(seconds / 3600)} h`
  if (size >= 60) return `${digits(seconds / 60)} min`
  if (size >= 1 || size === 0) return `${digits(seconds)} s`
  if (size >= 1e-3) return `${digits(seconds * 1e3)} ms`
  return size >= 1e-6 ? `${digits(seconds * 1e6)} µs` : `${digits(seconds * 1e9)} ns`
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let power = 0
  let rest = value
  while (Math.abs(rest) >= step && power < units.length - 1) {
    rest /= step
    power++
  }
  return `${digits(rest)} ${units[power]}`
}

/** Three significant digits, without an exponent. */
function digits(value: number): string {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)))
}
