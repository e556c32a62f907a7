import type { Family } from '../../instrument/family.ts'
import type { MetricType } from '../../metric/family-description.ts'
import { baseName, legacyLabel, legacyName } from '../../metric/name.ts'
import type { Selector } from '../rules.ts'

/** The name under which Prometheus knows a metric, without the suffixes of histograms. */
export function promName(metric: string, type: MetricType): string {
  const name = legacyName(metric)
  return type === 'counter' ? `${baseName(name)}_total` : name
}

/** `name{label="value"}` */
export function promSelector(name: string, labels: Readonly<Record<string, string>> = {}): string {
  const matchers = Object.entries(labels).map(
    ([label, value]) => `${legacyLabel(label)}=${JSON.stringify(value)}`,
  )
  return matchers.length === 0 ? name : `${name}{${matchers.join(',')}}`
}

/** A range in Prometheus' notation: `5m`. */
export function promDuration(milliseconds: number): string {
  if (milliseconds % 3_600_000 === 0) return `${milliseconds / 3_600_000}h`
  if (milliseconds % 60_000 === 0) return `${milliseconds / 60_000}m`
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`
}

/** The quantile of a histogram's classic buckets over a range. */
export function promQuantile(
  q: number,
  { metric, labels }: Selector,
  range: string,
  offset = '',
): string {
  const buckets = promSelector(`${legacyName(metric)}_bucket`, labels)
  return `histogram_quantile(${q}, sum by (le) (rate(${buckets}[${range}]${offset})))`
}

/** What happened per second over a range, over all series: of a counter, or the count of a histogram. */
export function promRate(
  { metric, labels }: Selector,
  range: string,
  families: ReadonlyMap<string, Pick<Family, 'description'>>,
): string {
  const histogram = families.get(metric)?.description.type === 'histogram'
  const name = histogram ? `${legacyName(metric)}_count` : promName(metric, 'counter')
  return `sum(rate(${promSelector(name, labels)}[${range}]))`
}
