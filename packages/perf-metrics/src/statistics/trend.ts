import { normalTail } from './binomial.ts'

export interface Trend {
  /** Theil and Sen's slope: the median of the slopes between all pairs, in units per millisecond. */
  slope: number
  /** Mann and Kendall's test: how probable so steady a rise is without a trend. One-sided. */
  p: number
}

/**
 * Whether a series rises: robust against the saw teeth of garbage collection, where a fitted line is not. O(n²), for some
 * hundred samples.
 */
export function trend(times: readonly number[], values: readonly number[]): Trend {
  const n = values.length
  const slopes: number[] = []
  let score = 0
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const rise = values[j]! - values[i]!
      score += Math.sign(rise)
      slopes.push(rise / (times[j]! - times[i]!))
    }
  }
  if (slopes.length === 0) return { slope: 0, p: 1 }
  slopes.sort((a, b) => a - b)
  const middle = slopes.length >> 1
  const slope =
    slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2
  const deviation = Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)
  return { slope, p: normalTail((score - Math.sign(score)) / deviation) }
}
