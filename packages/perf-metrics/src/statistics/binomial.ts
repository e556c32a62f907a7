/** Natural logarithm of the gamma function, by Lanczos' approximation (g = 7, nine terms): 15 digits for x > 0.5. */
export function logGamma(x: number): number {
  let sum = 0.99999999999980993
  for (let i = 0; i < LANCZOS.length; i++) sum += LANCZOS[i]! / (x + i)
  const t = x + 6.5
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum)
}

const LANCZOS = [
  676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
]

/** The upper tail of the standard normal distribution. Abramowitz and Stegun 7.1.26: error below 1.5e-7. */
export function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z)
  const t = 1 / (1 + (0.3275911 * z) / Math.SQRT2)
  const polynomial =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  return 0.5 * polynomial * Math.exp((-z * z) / 2)
}

/** Beyond this variance the normal approximation is good to a few percent of the tail. */
const NORMAL_FROM = 400

/**
 * The probability of at least `k` successes in `n` trials of probability `p`: exact while the variance is small, by the
 * normal approximation with continuity correction beyond.
 */
export function binomialTail(k: number, n: number, p: number): number {
  if (k <= 0) return 1
  if (k > n || p <= 0) return 0
  if (p >= 1) return 1
  const variance = n * p * (1 - p)
  if (variance > NORMAL_FROM) return normalTail((k - 0.5 - n * p) / Math.sqrt(variance))
  // Terms fall by at least half once i is well above the mean, so the sum ends soon.
  let term = Math.exp(
    logGamma(n + 1) -
      logGamma(k + 1) -
      logGamma(n - k + 1) +
      k * Math.log(p) +
      (n - k) * Math.log1p(-p),
  )
  let sum = 0
  for (let i = k; i <= n && (term > sum * 1e-16 || i < n * p); i++) {
    sum += term
    term *= ((n - i) / (i + 1)) * (p / (1 - p))
  }
  return Math.min(1, sum)
}
