import { effectiveSize, type Sample, sampleOf } from '../statistics/sample.ts'
import { studentTail } from '../statistics/student.ts'
import { type Distribution, interpolatedQuantile } from '../store/distribution.ts'
import { DistributionHistory } from './distribution-history.ts'
import { type Evaluator, type Finding, UNKNOWN } from './finding.ts'
import type { RegressionRule } from './rules.ts'
import { type Families, select } from './select.ts'

/** Blocks and batches of a window. */
const BLOCKS = 10
const BATCHES = 5
/** Least batches and windows of a baseline that are compared. */
const LEAST_BATCHES = 8
const LEAST_WINDOWS = 8

/**
 * Whether a quantile of the last window is higher than in a baseline, by more than chance and by more than a tolerance.
 *
 * Chance is what the baseline itself shows, by batch means: the logarithm of the quantile in batches of a fifth of the window, and in
 * pieces as long as the window, each with its variance, the uncertainty of its own mean and its autocorrelation taken into account.
 * Both must find the rise improbable: the batches know the noise, the pieces know the drift.
 */
export function regression(rule: RegressionRule): Evaluator {
  const { window = 300_000, baseline = 7_200_000, quantile = 0.99, minimum = 100 } = rule
  const { tolerance = 0.05, alpha = 0.0001 } = rule
  const history = new DistributionHistory(window / BLOCKS, baseline + window)
  const logOf = (d: Distribution): number => Math.log(interpolatedQuantile(d, quantile))
  const logs = (pieces: readonly Distribution[]): number[] =>
    pieces
      .filter(({ count }) => count >= minimum)
      .map(logOf)
      .filter(Number.isFinite)
  let known = -1
  let batches: number[] = []
  let windows: number[] = []
  return {
    *evaluate(families: Families, now: number): Generator<void, Finding> {
      yield* history.read(select(rule, families), now)
      const from = now - window
      if (history.begun !== known) {
        known = history.begun
        batches = logs(history.pieces(from, window / BATCHES))
        yield
        windows = logs(history.pieces(from, window))
        yield
      }
      const recent = history.since(from)
      const value = interpolatedQuantile(recent, quantile)
      const level = Math.log(value)
      const compared = [
        ...(batches.length >= LEAST_BATCHES ? [excess(level, batches, BATCHES)] : []),
        ...(windows.length >= LEAST_WINDOWS ? [excess(level, windows, 1)] : []),
      ]
      if (recent.count < minimum || compared.length === 0) return UNKNOWN
      const before = Math.exp(Math.max(...compared.map(({ mean }) => mean)))
      const p = Math.max(...compared.map(one => one.p))
      const limit = before * (1 + tolerance)
      return { holds: p < alpha && value > limit, value, limit }
    },
  }
}

/**
 * How probable it is that the mean of `size` further values is as high as `level`, where they go on as `values` did.
 */
function excess(
  level: number,
  values: readonly number[],
  size: number,
): { mean: number; p: number } {
  const sample = sampleOf(values)
  const { mean } = sample
  const independent = effectiveSize(sample)
  const deviation = Math.sqrt(predictionVariance(sample, independent, size))
  const rise = level - mean
  if (deviation === 0) return { mean, p: rise > 0 ? 0 : 1 }
  return { mean, p: studentTail(rise / deviation, Math.max(3, independent - 1)) }
}

/** Of the difference between the mean of `size` values to come and that of the sample. */
function predictionVariance(
  { size: known, variance, autocorrelation }: Sample,
  independent: number,
  size: number,
): number {
  // Values that resemble each other differ less from their own mean than from the true one.
  const trueVariance = variance / Math.max(0.2, 1 - 1 / independent) / (known / (known - 1))
  const inflation = (1 + autocorrelation) / (1 - autocorrelation)
  return trueVariance * (Math.min(1, inflation / size) + 1 / independent)
}
