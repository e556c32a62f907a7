import type { GaugeSeries } from '../instrument/gauge.ts'
import type { Series } from '../instrument/series.ts'
import { floorGrowth } from '../statistics/floor.ts'
import { effectiveSize, sampleOf } from '../statistics/sample.ts'
import { studentTail } from '../statistics/student.ts'
import { Cycles } from './cycles.ts'
import { type Evaluator, type Finding, UNKNOWN } from './finding.ts'
import { History } from './history.ts'
import type { LeakRule } from './rules.ts'
import { select } from './select.ts'

/** Parts of a window whose floors are compared, and in how many of them at least something was read. */
const PARTS = 30
const LEAST_PARTS = 8
/** How probable a rise may be in what only wanders. */
export const LEAK_ALPHA = 1e-4
/** A window covers so many of the longest cycles that were seen. */
const CYCLES = 2
/** Rise per hour that is a leak by default, as a share of the floor: over a short window it has to be a fast one. */
const SLOW = 0.005
const FAST = 0.1
const LONG = 86_400_000
const SHORT = LONG / 8

/** The windows that a rule looks at, in ms, and by which share of itself a floor may rise in an hour. */
export function leakHorizons({ window }: LeakRule): readonly { window: number; share: number }[] {
  if (window !== undefined) return [{ window, share: SLOW }]
  return [
    { window: SHORT, share: FAST },
    { window: LONG, share: SLOW },
  ]
}

/**
 * Whether the floor of a gauge rises. Judged are the least values in {@link PARTS} parts of a window: the slope of the line through them
 * must be more than chance, with as many degrees of freedom as its residuals are independent of each other, and what is given back later
 * does not count. A gauge that falls back again and again is judged over {@link CYCLES} of its longest cycles at least.
 */
export function leak(rule: LeakRule): Evaluator {
  const horizons = leakHorizons(rule)
  const histories = horizons.map(({ window, share }) => ({
    window,
    share,
    history: new History(window, window / PARTS / 10),
  }))
  const cycles = new Cycles()
  let begun = Infinity
  let read = -1
  return {
    evaluate(families, now) {
      const series = select(rule, families)
      const known = knownValues(series)
      if (known.length === 0) return UNKNOWN
      const updated = lastUpdate(series) ?? now
      if (updated !== read) {
        // A value that has not been set since says nothing new, and would be taken for another like it.
        const value = known.reduce((sum, one) => sum + one, 0)
        for (const { history } of histories) history.add(now, value)
        cycles.add(now, value)
        read = updated
        begun = Math.min(begun, now)
      }
      let found = UNKNOWN
      for (const { window, share, history } of histories) {
        if (now - begun < window * 0.8 || window < CYCLES * cycles.longest) continue
        const finding = judge(history, now, rule.growthPerHour, share)
        if (finding.holds) return finding
        if (found.holds === undefined) found = finding
      }
      return found
    },
  }
}

function judge(
  history: History,
  now: number,
  growthPerHour: number | undefined,
  share: number,
): Finding {
  const { times, values } = history.minima(PARTS, now)
  if (values.length < LEAST_PARTS) return UNKNOWN
  const value = floorGrowth(times, values) * 3_600_000
  const limit = growthPerHour ?? Math.abs(values[0]!) * share
  return { holds: value > limit && improbable(times, values), value, limit }
}

/** Whether a level that wanders as the residuals of a fitted line do hardly ever rises as steadily. */
function improbable(times: readonly number[], values: readonly number[]): boolean {
  const n = values.length
  const mean = (list: readonly number[]): number => list.reduce((sum, one) => sum + one, 0) / n
  const [time, level] = [mean(times), mean(values)]
  const spread = times.reduce((sum, t) => sum + (t - time) ** 2, 0)
  const slope = times.reduce((sum, t, i) => sum + (t - time) * (values[i]! - level), 0) / spread
  const residuals = sampleOf(values.map((value, i) => value - level - slope * (times[i]! - time)))
  if (slope <= 0 || residuals.variance === 0) return slope > 0
  const independent = effectiveSize(residuals)
  const error = Math.sqrt((residuals.variance / spread) * (n / independent))
  return studentTail(slope / error, Math.max(3, independent - 2)) < LEAK_ALPHA
}

/** The values there are: a gauge that was never set has none, and is not at 0. */
export function knownValues(series: readonly Series[]): number[] {
  return (series as readonly GaugeSeries[])
    .filter(one => one.type !== 'gauge' || one.lastUpdate !== 0)
    .map(({ value }) => value)
}

/** When the gauges among `series` were last set; `undefined` where there are others, which do not say. */
function lastUpdate(series: readonly Series[]): number | undefined {
  if (series.some(({ type }) => type !== 'gauge')) return undefined
  return Math.max(...(series as readonly GaugeSeries[]).map(one => one.lastUpdate))
}
