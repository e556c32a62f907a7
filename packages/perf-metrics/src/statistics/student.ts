import { logGamma } from './binomial.ts'

/**
 * The upper tail of Student's t distribution: the probability of more than `t` with `dof` degrees of freedom. By the incomplete beta
 * function, as a continued fraction (Lentz's method; Abramowitz and Stegun 26.7.1 and 26.5.8).
 */
export function studentTail(t: number, dof: number): number {
  const half = incompleteBeta(dof / (dof + t * t), dof / 2, 0.5) / 2
  return t > 0 ? half : 1 - half
}

function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  const front = Math.exp(
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x),
  )
  return x < (a + 1) / (a + b + 2)
    ? (front * fraction(x, a, b)) / a
    : 1 - (front * fraction(1 - x, b, a)) / b
}

const TINY = 1e-300

function fraction(x: number, a: number, b: number): number {
  let c = 1
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1))
  let result = d
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / nonZero(1 + even * d)
    c = nonZero(1 + even / c)
    result *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / nonZero(1 + odd * d)
    c = nonZero(1 + odd / c)
    result *= d * c
    if (Math.abs(d * c - 1) < 1e-12) break
  }
  return result
}

function nonZero(value: number): number {
  return Math.abs(value) < TINY ? TINY : value
}
