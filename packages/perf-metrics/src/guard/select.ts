import type { CounterSeries } from '../instrument/counter.ts'
import type { Family } from '../instrument/family.ts'
import type { Series } from '../instrument/series.ts'
import type { Selector } from './rules.ts'

export type Families = ReadonlyMap<string, Family>

/** The series of a metric that have the labels of `selector`. */
export function select({ metric, labels = {} }: Selector, families: Families): Series[] {
  const family = families.get(metric)
  if (family === undefined) return []
  const wanted = Object.entries(labels).map(
    ([name, value]) => [family.description.labelNames.indexOf(name), value] as const,
  )
  return [...family.series()].filter(series =>
    wanted.every(([i, value]) => series.labelValues[i] === value),
  )
}

/** Counts of counters and histograms added up. */
export function total(selectors: readonly Selector[], families: Families): number {
  let sum = 0
  for (const selector of selectors) {
    for (const series of select(selector, families)) {
      sum += series.type === 'histogram' ? series.mark() : (series as CounterSeries).value
    }
  }
  return sum
}
