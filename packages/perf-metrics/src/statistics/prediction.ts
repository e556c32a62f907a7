import { effectiveSize, type Sample } from './sample.ts'
import { studentTail } from './student.ts'

/** What a stretch of values says of those to come. */
export interface Prediction {
  readonly mean: number
  /** How probable it is that the mean of the next `size` values is at least `level`, where they go on as before. */
  tail(level: number, size: number): number
}

/** Where a level was last, and the steps between its successive values: how it wanders. */
export interface Wander {
  readonly last: number
  readonly steps: Sample
}

/** Two successive steps share a value: so many times fewer of them are independent, 1 + 2 (1/2)^2. */
const STEP_OVERLAP = 1.5
const MEANS_SHARE = 0.8

/**
 * Predicts from `short` successive values, and from `long` ones that cover as much as `ratio` of the short each. The short ones tell the
 * noise with many degrees of freedom; by how much the long ones vary more than noise explains is drift, of which fewer are known. Their
 * sum has the degrees of freedom of Satterthwaite, "An Approximate Distribution of Estimates of Variance Components" (1946).
 *
 * A level that drifts slowly says little of its own mean, and much of its next value: with `wander`, of the long values, it is judged by
 * its steps as well.
 */
export function predictionOf(
  short: Sample | undefined,
  long: Sample | undefined,
  ratio: number,
  wander?: Wander,
): Prediction | undefined {
  if (short === undefined && long === undefined) return undefined
  const mean = Math.max(short?.mean ?? -Infinity, long?.mean ?? -Infinity)
  const noiseOf = (size: number): Component => (short === undefined ? NONE : component(short, size))
  const noise = noiseOf(ratio)
  const whole = long === undefined ? NONE : component(long, 1)
  const drift = Math.max(0, whole.variance - noise.variance)
  const fromMean = (level: number, size: number): number => {
    const now = noiseOf(size)
    const variance = now.variance + drift
    const freedom = variance ** 2 / (now.variance ** 2 / now.freedom + drift ** 2 / whole.freedom)
    return tailOf(level - mean, variance, freedom)
  }
  const fromLast = ({ last, steps }: Wander, level: number, size: number): number => {
    // Fewer values than those whose steps are known have more noise.
    const noisier = Math.max(0, noiseOf(size).variance - noise.variance)
    const rise = level - last - Math.max(0, steps.mean)
    const variance = steps.variance * (1 + 1 / steps.size) + noisier
    return tailOf(rise, variance, Math.max(3, (steps.size - 1) / STEP_OVERLAP))
  }
  return {
    mean,
    tail(level, size) {
      const byMean = fromMean(level, size)
      if (wander === undefined) return byMean
      // Two chances to find something, of which the mean has most, as it knows more where nothing drifts (weighted Bonferroni).
      const byLast = fromLast(wander, level, size)
      return Math.min(1, byMean / MEANS_SHARE, byLast / (1 - MEANS_SHARE))
    },
  }
}

function tailOf(rise: number, variance: number, freedom: number): number {
  if (variance === 0) return rise > 0 ? 0 : 1
  return studentTail(rise / Math.sqrt(variance), freedom)
}

/** Of the difference between the mean of values to come and that of a sample. */
interface Component {
  readonly variance: number
  readonly freedom: number
}

const NONE: Component = { variance: 0, freedom: Infinity }

function component(sample: Sample, size: number): Component {
  const { size: known, variance, autocorrelation } = sample
  const independent = effectiveSize(sample)
  // Values that resemble each other differ less from their own mean than from the true one.
  const trueVariance = variance / Math.max(0.2, 1 - 1 / independent) / (known / (known - 1))
  const inflation = (1 + autocorrelation) / (1 - autocorrelation)
  return {
    variance: trueVariance * (Math.min(1, inflation / size) + 1 / independent),
    freedom: Math.max(3, independent - 1),
  }
}
