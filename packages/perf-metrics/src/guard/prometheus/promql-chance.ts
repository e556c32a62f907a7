import { studentTail } from '../../statistics/student.ts'

/*
 * What a Guard's rules know of chance, in PromQL: a sample is a subquery over values that follow each other. Its variance, and that of
 * its steps, tell how much its values resemble each other, and so how many of them count.
 */

/** A sample of one value per moment, as expressions. */
export interface PromSample {
  /** How many values there are. */
  readonly size: string
  readonly variance: string
  /** Values that are independent of each other, as {@link effectiveSize} has it. */
  readonly independent: string
}

/**
 * @param variance of the values
 * @param steps the differences of successive values, as a range
 * @param level about as large as the values are: what is constant down to rounding must divide by something
 */
export function promSample(
  values: string,
  variance: string,
  steps: string,
  level: string,
): PromSample {
  const size = `count_over_time(${values})`
  const least = `1e-12 * ${level} ^ 2`
  const whole = `(${variance} + ${least})`
  // A first-order process has steps of 2 (1 - r) times its variance, and (1 + r) / (1 - r) values for one; of a short sample r is too low,
  // as in `sampleOf`.
  const differing = `(stdvar_over_time(${steps}) / 2 + ${least}) / ${whole}`
  const perValue = `clamp_min((2 - 3 / ${size} - ${differing}) / clamp_min(${differing} - 5 / ${size}, 0.05), 1)`
  return { size, variance: whole, independent: `${size} / ${perValue}` }
}

/**
 * What Student's t reaches with the probability `alpha`, by degrees of freedom, of which 3 are the least that count. PromQL has no such
 * function: this one has its exact values at 3, 10 and infinitely many, and is within 5 % in between for `alpha` of 0.0001 to 0.01, and above it for less.
 */
export function promStudent(alpha: number, freedom: string): string {
  const normal = studentQuantile(alpha, 1e7)
  const [few, more] = [studentQuantile(alpha, 3) - normal, studentQuantile(alpha, 10) - normal]
  // a / 3 + b / 27 = few and a / 10 + b / 1000 = more
  const b = (few - (more * 10) / 3) / (1 / 27 - 1 / 300)
  const a = more * 10 - b / 100
  const df = `clamp_min(${freedom}, 3)`
  return `(${round(normal)} + ${round(a)} / ${df} + ${round(b)} / ${df} ^ 3)`
}

function studentQuantile(alpha: number, freedom: number): number {
  let [low, high] = [0, 1]
  while (studentTail(high, freedom) > alpha) high *= 2
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (studentTail(middle, freedom) > alpha) low = middle
    else high = middle
  }
  return high
}

function round(value: number): number {
  return Number(value.toPrecision(4))
}
