import { coarser, countUpTo, type Distribution, quantile } from '../store/distribution.ts'
import { binomialTail, normalTail } from './binomial.ts'

export interface QuantileComparison {
  before: number
  after: number
  /** `after / before - 1`. */
  change: number
  /** How probable it is to see this many slow values if the quantile had not risen beyond the tolerance. */
  p: number
}

/**
 * Whether quantile `q` of `after` lies more than `tolerance` above that of `before`. Counts the values beyond the
 * tolerated quantile and asks the binomial distribution: a test of the tail itself, where tests of location see the bulk.
 */
export function compareQuantile(
  before: Distribution,
  after: Distribution,
  q: number,
  tolerance: number,
): QuantileComparison {
  const old = quantile(before, q)
  const limit = old * (1 + tolerance)
  const allowed = Math.max(1 - q, 1 - countUpTo(before, limit) / before.count)
  const beyond = after.count - countUpTo(after, limit)
  const now = quantile(after, q)
  return {
    before: old,
    after: now,
    change: now / old - 1,
    p: binomialTail(beyond, after.count, allowed),
  }
}

export interface ShiftComparison {
  /** Standardised rank sum, positive where `after` is larger. */
  z: number
  /** Two-sided. */
  p: number
  /** Cliff's delta: how much more often a value of `after` is the larger of two than the smaller; -1 to 1. */
  delta: number
}

/**
 * The Mann-Whitney test on bucketed values, with its correction for ties: does one distribution as a whole lie above
 * the other? O(buckets).
 */
export function mannWhitney(before: Distribution, after: Distribution): ShiftComparison {
  const schema = Math.min(before.schema, after.schema)
  const a = coarser(before, schema)
  const b = coarser(after, schema)
  const n = a.count
  const m = b.count
  const total = n + m
  if (n === 0 || m === 0) return { z: 0, p: 1, delta: 0 }
  let below = a.zeros
  // Pairs in which the value of `after` is larger, ties for half.
  let u = (a.zeros * b.zeros) / 2
  let ties = cube(a.zeros + b.zeros)
  const low = Math.min(a.low, b.low)
  const high = Math.max(a.low + a.counts.length, b.low + b.counts.length)
  for (let i = low; i < high; i++) {
    const left = a.counts[i - a.low] ?? 0
    const right = b.counts[i - b.low] ?? 0
    u += right * (below + left / 2)
    below += left
    ties += cube(left + right)
  }
  const variance = ((n * m) / 12) * (total + 1 - ties / (total * (total - 1)))
  const z = variance > 0 ? (u - (n * m) / 2) / Math.sqrt(variance) : 0
  return { z, p: Math.min(1, 2 * normalTail(Math.abs(z))), delta: (2 * u) / (n * m) - 1 }
}

function cube(t: number): number {
  return t * t * t - t
}
