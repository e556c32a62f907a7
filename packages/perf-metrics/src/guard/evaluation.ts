import type { CounterSeries } from '../instrument/counter.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { Series } from '../instrument/series.ts'
import { compareQuantile } from '../statistics/compare-distributions.ts'
import { floorGrowth } from '../statistics/floor.ts'
import { trend } from '../statistics/trend.ts'
import { type Distribution, emptyDistribution, merge } from '../store/distribution.ts'
import { FINEST_SCHEMA } from '../store/exponential.ts'
import { ringOf } from '../window/window-ring.ts'
import { distributionStats } from '../window/window-stats.ts'
import { History } from './history.ts'
import {
  type BurnRateRule,
  DEFAULT_BURN_WINDOWS,
  type LeakRule,
  type RatioRule,
  type RegressionRule,
  type Rule,
  type Selector,
  type ThresholdRule,
} from './rules.ts'

/** What a rule found. */
export interface Finding {
  /** Whether the condition holds. `undefined`: there is too little to judge by, and nothing changes. */
  readonly holds: boolean | undefined
  /** The value judged: a quantile, a share, a slope per hour, a burn rate. */
  readonly value: number
  /** What it was compared with. */
  readonly limit: number
}

/** A rule with the memory it needs. */
export interface Evaluator {
  /** What the rule finds, or the steps to it where buckets are read, so that the caller can let others run. */
  evaluate(families: ReadonlyMap<string, Family>, now: number): Finding | Generator<void, Finding>
}

const UNKNOWN: Finding = { holds: undefined, value: NaN, limit: NaN }
const QUARTER_HOUR = 900_000
/** Parts of a leak's window, in how many of them at least something was read, and how sure its trend must be. */
const LEAK_PARTS = 30
const LEAK_READINGS = 8
const LEAK_ALPHA = 0.001

export function evaluatorOf(rule: Rule): Evaluator {
  switch (rule.type) {
    case 'threshold':
      return { evaluate: (families, now) => threshold(rule, families, now) }
    case 'ratio':
      return ratio(rule)
    case 'regression':
      return { evaluate: (families, now) => regression(rule, families, now) }
    case 'leak':
      return leak(rule)
    case 'burn-rate':
      return burnRate(rule)
  }
}

function* threshold(
  rule: ThresholdRule,
  families: ReadonlyMap<string, Family>,
  now: number,
): Generator<void, Finding> {
  const { stat = 'value', window = 300_000 } = rule
  const series = select(rule, families)
  if (series.length === 0) return UNKNOWN
  let value: number
  if (stat === 'value') {
    const values = knownValues(series)
    if (values.length === 0) return UNKNOWN
    value = rule.above === undefined ? Math.min(...values) : Math.max(...values)
  } else if (series[0]!.type === 'histogram') {
    const { span, delta } = yield* windowOf(series, window, now)
    value = distributionStats(delta, span)[stat]
  } else {
    value = 0
    for (const one of series) {
      const view = ringOf(one, now)?.view(window, now)
      if (view !== undefined) value += ((view.delta as number) * 1000) / view.span
    }
  }
  return judge(rule, value)
}

function judge({ above, below }: { above?: number; below?: number }, value: number): Finding {
  if (Number.isNaN(value)) return UNKNOWN
  return above === undefined
    ? { holds: value < below!, value, limit: below! }
    : { holds: value > above, value, limit: above }
}

function ratio(rule: RatioRule): Evaluator {
  const { window = 300_000, minimum = 20 } = rule
  const part = new History(window)
  const whole = new History(window)
  return {
    evaluate(families, now) {
      part.add(now, total([rule.numerator], families))
      whole.add(now, total(rule.denominator, families))
      const size = whole.increase(window, now)
      return size < minimum ? UNKNOWN : judge(rule, part.increase(window, now) / size)
    },
  }
}

function* regression(
  rule: RegressionRule,
  families: ReadonlyMap<string, Family>,
  now: number,
): Generator<void, Finding> {
  const { window = 300_000, quantile = 0.99, tolerance = 0.1, alpha = 0.001, minimum = 100 } = rule
  const series = select(rule, families)
  const recent = (yield* windowOf(series, window, now)).delta
  const all = (yield* windowOf(series, QUARTER_HOUR, now)).delta
  const baseline = subtract(all, recent)
  if (recent.count < minimum || baseline.count < minimum) return UNKNOWN
  const { before, after, change, p } = compareQuantile(baseline, recent, quantile, tolerance)
  return { holds: p < alpha && change > tolerance, value: after, limit: before * (1 + tolerance) }
}

/** What is in `all` and not in `part`, which is a later piece of it. */
function subtract(all: Distribution, part: Distribution): Distribution {
  const negative = {
    ...part,
    counts: Array.from(part.counts, count => -count),
    zeros: -part.zeros,
    count: -part.count,
    sum: -part.sum,
    min: NaN,
    max: NaN,
  }
  const rest = merge(all, negative)
  // The windows begin on different frames: a bucket may hold a little more in the part than in the whole.
  return { ...rest, counts: Array.from(rest.counts, count => Math.max(0, count)) }
}

function leak(rule: LeakRule): Evaluator {
  const { window = 1_800_000 } = rule
  const history = new History(window)
  let begun = Infinity
  let read = -1
  return {
    evaluate(families, now) {
      const series = select(rule, families)
      const known = knownValues(series)
      if (known.length === 0) return UNKNOWN
      const updated = lastUpdate(series) ?? now
      if (updated !== read) {
        // A value that nobody has set since says nothing new, and would be taken for another like it.
        history.add(
          now,
          known.reduce((sum, value) => sum + value, 0),
        )
        read = updated
        begun = Math.min(begun, now)
      }
      const { times, values } = history.minima(LEAK_PARTS, now)
      if (now - begun < window * 0.8 || values.length < LEAK_READINGS) return UNKNOWN
      const { p } = trend(times, values)
      const perHour = floorGrowth(times, values) * 3_600_000
      const limit = rule.growthPerHour ?? Math.abs(values[0]!) * 0.1
      return { holds: p < LEAK_ALPHA && perHour > limit, value: perHour, limit }
    },
  }
}

/** When the gauges among `series` were last set; `undefined` where there are others, which do not say. */
function lastUpdate(series: readonly Series[]): number | undefined {
  if (series.some(({ type }) => type !== 'gauge')) return undefined
  return Math.max(...(series as readonly GaugeSeries[]).map(one => one.lastUpdate))
}

function burnRate(rule: BurnRateRule): Evaluator {
  const windows = rule.windows ?? DEFAULT_BURN_WINDOWS
  const longest = Math.max(...windows.map(({ long }) => long))
  const errors = new History(longest)
  const whole = new History(longest)
  const budget = 1 - rule.objective
  return {
    evaluate(families, now) {
      errors.add(now, total([rule.errors], families))
      whole.add(now, total(rule.total, families))
      const burn = (window: number): number =>
        errors.increase(window, now) / Math.max(1, whole.increase(window, now)) / budget
      let worst: Finding = { holds: false, value: 0, limit: windows[0]!.factor }
      for (const { long, short, factor } of windows) {
        const value = Math.min(burn(long), burn(short))
        if (value / factor > worst.value / worst.limit) {
          worst = { holds: value > factor, value, limit: factor }
        }
      }
      return worst
    },
  }
}

function select(
  { metric, labels = {} }: Selector,
  families: ReadonlyMap<string, Family>,
): Series[] {
  const family = families.get(metric)
  if (family === undefined) return []
  const wanted = Object.entries(labels).map(
    ([name, value]) => [family.description.labelNames.indexOf(name), value] as const,
  )
  return [...family.series()].filter(series =>
    wanted.every(([i, value]) => series.labelValues[i] === value),
  )
}

/** The values there are: a gauge that was never set has none, and is not at 0. */
function knownValues(series: readonly Series[]): number[] {
  return (series as readonly GaugeSeries[])
    .filter(one => one.type !== 'gauge' || one.lastUpdate !== 0)
    .map(({ value }) => value)
}

/** Counts of counters and histograms added up. */
function total(selectors: readonly Selector[], families: ReadonlyMap<string, Family>): number {
  let sum = 0
  for (const selector of selectors) {
    for (const series of select(selector, families)) {
      sum += series.type === 'histogram' ? series.mark() : (series as CounterSeries).value
    }
  }
  return sum
}

function* windowOf(
  series: readonly Series[],
  window: number,
  now: number,
): Generator<void, { span: number; delta: Distribution }> {
  let span = 1
  let delta = emptyDistribution(FINEST_SCHEMA)
  for (const one of series) {
    const view = one.type === 'histogram' ? ringOf(one, now)?.view(window, now) : undefined
    if (view === undefined) continue
    span = Math.max(span, view.span)
    delta = merge(delta, view.delta as Distribution)
    yield
  }
  return { span, delta }
}
