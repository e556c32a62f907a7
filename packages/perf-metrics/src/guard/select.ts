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

/** Counts of counters and histograms added up, over time: what was counted in a series that expires stays in the sum. */
export class RunningTotal {
  readonly #selectors: readonly Selector[]
  #last = 0
  #total = 0

  constructor(selectors: readonly Selector[]) {
    this.#selectors = selectors
  }

  read(families: Families): number {
    const now = total(this.#selectors, families)
    this.#total += Math.max(0, now - this.#last)
    this.#last = now
    return this.#total
  }
}

function total(selectors: readonly Selector[], families: Families): number {
  let sum = 0
  for (const selector of selectors) {
    for (const series of select(selector, families)) {
      sum += series.type === 'histogram' ? series.mark() : (series as CounterSeries).value
    }
  }
  return sum
}
