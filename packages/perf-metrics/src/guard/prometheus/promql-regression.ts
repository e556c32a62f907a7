import { legacyName } from '../../metric/name.ts'
import type { RegressionRule } from '../rules.ts'
import { promDuration, promQuantile, promSelector } from './promql.ts'
import { promSample, promStudent } from './promql-chance.ts'

/** Least windows of a baseline, and values that a quantile must have beyond it. */
const LEAST_WINDOWS = 8
const LEAST_BEYOND = 10
/** Windows between the baseline and now: for as long a step holds before it becomes part of what it is compared with. */
const GAP = 3

/**
 * Whether the quantile of the last window is above the mean of those in the baseline, by more than the tolerance and by more than their
 * logarithms vary, with as many degrees of freedom as they are independent of each other.
 */
export function promRegression(rule: RegressionRule): string {
  const { quantile = 0.99, tolerance = 0.05, window = 300_000, minimum = 100 } = rule
  const { baseline = 7_200_000, alpha = 0.0001 } = rule
  const range = promDuration(window)
  // Of fewer values a quantile of the tail is close to their maximum, whose logarithm is skewed.
  const least = Math.max(minimum, Math.ceil(LEAST_BEYOND / (1 - quantile)))
  const count = promSelector(`${legacyName(rule.metric)}_count`, rule.labels)
  const level = (offset = ''): string =>
    `(${promQuantile(quantile, rule, range, offset)} and sum(increase(${count}[${range}]${offset})) >= ${least})`
  const windows = `[${promDuration(baseline)}:${range}] offset ${promDuration(window * GAP)}`
  const levels = `ln(${level()})${windows}`
  const steps = `(ln(${level()}) - ln(${level(` offset ${range}`)}))${windows}`
  const sample = promSample(levels, `stdvar_over_time(${levels})`, steps, '1')
  const { size, independent } = sample
  // Values that resemble each other differ less from their own mean than from the true one, and the next one from both.
  const variance =
    `${sample.variance} * ${size} / (${size} - 1) / clamp_min(1 - 1 / (${independent}), 0.2)` +
    ` * (1 + 1 / (${independent}))`
  const noise = `${promStudent(alpha, `${independent} - 1`)} * sqrt(${variance})`
  const tolerated = Number(Math.log1p(tolerance).toPrecision(6))
  const limit = `exp(avg_over_time(${levels}) + clamp_min(${noise}, ${tolerated}))`
  return `${level()} > (${limit} and ${size} >= ${LEAST_WINDOWS})`
}
