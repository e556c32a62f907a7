import {
  COARSEST_SCHEMA,
  coarsen,
  FINEST_SCHEMA,
  quantileError,
  upperBound,
} from './exponential.ts'

/**
 * An exponential histogram at rest: the common form of what a series holds, what a window or another process
 * contributes, and what exporters and guards read.
 */
export interface Distribution {
  /** Buckets per power of two are `2^schema`. */
  schema: number
  /** Index of the first bucket in {@link counts}. */
  low: number
  /** Observations per bucket, from `low` up. May be empty. */
  counts: Float64Array | Uint32Array | readonly number[]
  /** Observations of zero (or below the zero threshold). */
  zeros: number
  count: number
  sum: number
  /** Smallest observation, `NaN` where there is none or it is not known. */
  min: number
  /** Largest observation, `NaN` where there is none or it is not known. */
  max: number
}

/** What an empty histogram looks like. */
export function emptyDistribution(schema: number): Distribution {
  return { schema, low: 0, counts: [], zeros: 0, count: 0, sum: 0, min: NaN, max: NaN }
}

/**
 * The value below which a share `q` of the observations lie, `NaN` when there are none. Off by at most
 * {@link quantileError} of the schema. O(buckets).
 */
export function quantile(d: Distribution, q: number): number {
  if (d.count === 0 || !(q >= 0 && q <= 1)) return NaN
  // Rank of the nearest-rank definition: the smallest value with at least q of all at or below it.
  const rank = Math.max(1, Math.ceil(q * d.count))
  // These two are known to the last digit, however coarse the buckets are.
  if (rank === d.count && !Number.isNaN(d.max)) return d.max
  if (rank === 1 && !Number.isNaN(d.min)) return d.min
  let seen = d.zeros
  if (seen >= rank) return clamp(0, d)
  for (let i = 0; i < d.counts.length; i++) {
    seen += d.counts[i]!
    if (seen >= rank) {
      return clamp(middle(d.low + i, d.schema), d)
    }
  }
  return d.max
}

/** The geometric middle of a bucket, which halves the error of either bound. */
function middle(index: number, schema: number): number {
  const half = 1 + quantileError(schema)
  const upper = upperBound(index, schema)
  // The last buckets of all end beyond the largest double.
  return upper < Infinity ? upper / half : upperBound(index - 1, schema) * half
}

function clamp(value: number, { min, max }: Distribution): number {
  if (value < min) return min
  return value > max ? max : value
}

/**
 * As {@link quantile}, between the bounds of the bucket by where the rank lies in it: comparable beyond the precision of a single value,
 * as the observations of many spread over the bucket. Positive wherever most observations are.
 */
export function interpolatedQuantile(d: Distribution, q: number): number {
  const rank = q * d.count
  let seen = d.zeros
  if (d.count === 0 || seen >= rank) return d.count === 0 ? NaN : 0
  for (let i = 0; i < d.counts.length; i++) {
    const count = d.counts[i]!
    if (count > 0 && seen + count >= rank) {
      const lower = upperBound(d.low + i - 1, d.schema)
      return lower * (1 + quantileError(d.schema)) ** ((2 * (rank - seen)) / count)
    }
    seen += count
  }
  return d.max
}

/** How many observations were at most `bound`, to the precision of the buckets: whole buckets below it are counted. */
export function countUpTo(d: Distribution, bound: number): number {
  if (bound < 0) return 0
  let seen = d.zeros
  for (let i = 0; i < d.counts.length; i++) {
    if (upperBound(d.low + i, d.schema) > bound) break
    seen += d.counts[i]!
  }
  return seen
}

/** The same observations in buckets of a coarser schema. Returns `d` itself where `schema` is not coarser. */
export function coarser(d: Distribution, schema: number): Distribution {
  const shift = d.schema - Math.max(schema, COARSEST_SCHEMA)
  if (shift <= 0) return d
  if (d.counts.length === 0) return { ...d, schema: d.schema - shift }
  const low = coarsen(d.low, shift)
  const counts = new Float64Array(coarsen(d.low + d.counts.length - 1, shift) - low + 1)
  for (let i = 0; i < d.counts.length; i++) counts[coarsen(d.low + i, shift) - low]! += d.counts[i]!
  return { ...d, schema: d.schema - shift, low, counts }
}

/** `d` in the finest schema that needs at most `buckets` of them. */
export function fit(d: Distribution, buckets: number): Distribution {
  let result = d
  while (result.counts.length > buckets && result.schema > COARSEST_SCHEMA) {
    result = coarser(result, result.schema - 1)
  }
  return result
}

/** Both distributions' observations together. Exact: merging loses no more than the coarser schema has lost. */
export function merge(a: Distribution, b: Distribution): Distribution {
  return mergeAll([a, b])
}

/** The same of any number of them. O(buckets). */
export function mergeAll(parts: readonly Distribution[]): Distribution {
  let schema = FINEST_SCHEMA
  for (const part of parts) schema = Math.min(schema, part.schema)
  const sum = emptyDistribution(schema)
  let low = Infinity
  let high = -Infinity
  for (const part of parts) {
    sum.zeros += part.zeros
    sum.count += part.count
    sum.sum += part.sum
    sum.min = smaller(sum.min, part.min)
    sum.max = -smaller(-sum.max, -part.max)
    const size = part.counts.length
    if (size === 0) continue
    low = Math.min(low, coarsen(part.low, part.schema - schema))
    high = Math.max(high, coarsen(part.low + size - 1, part.schema - schema))
  }
  if (low > high) return sum
  const counts = new Float64Array(high - low + 1)
  for (const part of parts) {
    const { counts: added, low: first } = coarser(part, schema)
    const from = first - low
    for (let i = 0; i < added.length; i++) counts[from + i]! += added[i]!
  }
  return { ...sum, low, counts }
}

function smaller(a: number, b: number): number {
  if (Number.isNaN(a)) return b
  return Number.isNaN(b) ? a : Math.min(a, b)
}

/**
 * What was observed between two states of one histogram. The extremes are those of the buckets, as the states' own
 * are of all time.
 */
export function distributionSince(now: Distribution, before: Distribution): Distribution {
  if (now.count === before.count) return emptyDistribution(now.schema)
  const old = coarser(before, now.schema)
  const counts = Float64Array.from(now.counts)
  // What is not empty in the old buckets is in the new ones too: a look beside either costs ten times a difference.
  for (let i = 0; i < old.counts.length; i++) {
    if (old.counts[i] !== 0) counts[old.low + i - now.low]! -= old.counts[i]!
  }
  let first = 0
  while (first < counts.length && counts[first] === 0) first++
  let end = counts.length
  while (end > first && counts[end - 1] === 0) end--
  return {
    schema: now.schema,
    low: now.low + first,
    counts: Uint32Array.from(counts.subarray(first, end)),
    zeros: now.zeros - before.zeros,
    count: now.count - before.count,
    // Sums of large values may both be infinite.
    sum: now.sum === before.sum ? 0 : now.sum - before.sum,
    min: NaN,
    max: NaN,
  }
}
