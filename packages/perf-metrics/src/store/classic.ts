import { InvalidOptionError } from '../errors.ts'

const DOUBLE = new Float64Array(1)
const WORDS = new Uint32Array(DOUBLE.buffer)

/**
 * Fixed bucket bounds, with a table that finds a value's bucket from the leading bits of the double in one step and
 * one or two comparisons. Bounds are inclusive, as `le` says; the last bucket is open.
 */
export class ClassicBounds {
  /** Bounds in ascending order, then `Infinity`. */
  readonly bounds: Float64Array
  /** Those without `Infinity`. */
  readonly finite: Float64Array
  /** First bucket to try, by the exponent and five mantissa bits of the value. */
  readonly table: Uint8Array
  /** What the first entry of {@link table} stands for. */
  readonly base: number

  constructor(bounds: readonly number[]) {
    this.bounds = Float64Array.from([...bounds, Infinity])
    this.finite = this.bounds.subarray(0, -1)
    const first = bounds.length === 0 ? 0 : leadingBits(bounds[0]!)
    const last = bounds.length === 0 ? 0 : leadingBits(bounds.at(-1)!)
    this.base = first
    this.table = new Uint8Array(last - first + 2)
    for (let cell = 0, bucket = 0; cell < this.table.length; cell++) {
      const start = cell === 0 ? 0 : startOf(first + cell)
      while (bucket < bounds.length && bounds[bucket]! < start) bucket++
      this.table[cell] = bucket
    }
  }
}

/** Exponent and five mantissa bits. The sign bit is clear: bounds and observations are positive. */
function leadingBits(value: number): number {
  DOUBLE[0] = value
  return WORDS[1]! >>> 15
}

function startOf(leading: number): number {
  WORDS[1] = leading << 15
  WORDS[0] = 0
  return DOUBLE[0]!
}

/** Prometheus' usual bounds for seconds, with four more below 5 ms: much of what a process times is faster. */
export const DEFAULT_BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

/** @throws InvalidOptionError unless `buckets` are positive, finite, ascending and at most 250 */
export function validateBuckets(buckets: readonly number[]): readonly number[] {
  const valid =
    Array.isArray(buckets) &&
    buckets.length <= 250 &&
    buckets.every(
      (bound, i) =>
        typeof bound === 'number' &&
        bound > 0 &&
        bound < Infinity &&
        (i === 0 || bound > buckets[i - 1]!),
    )
  if (!valid) {
    throw new InvalidOptionError(
      'buckets',
      'at most 250 positive finite numbers in ascending order',
      buckets,
    )
  }
  return buckets
}
