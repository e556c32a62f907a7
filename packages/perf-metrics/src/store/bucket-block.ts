import { COARSEST_SCHEMA, coarsen, FINEST_SCHEMA } from './exponential.ts'

/** Buckets by their indices, both inclusive. */
export interface BucketRange {
  readonly low: number
  readonly high: number
}

/** A run of exponential buckets: the first one's index, how much coarser than the finest schema, and how many. */
export interface BucketBlock {
  readonly low: number
  readonly shift: number
  readonly capacity: number
}

/** Smallest block; it doubles as values spread. */
const FIRST_BLOCK = 32

/**
 * The block that `block` has to become to hold `wanted`, in indices of the finest schema, besides the buckets in use. It
 * grows up to `most`, then merges neighbours.
 *
 * @param used indices in the schema of `block`
 * @param fixed the size where it cannot be chosen
 */
export function enclosingBlock(
  block: BucketBlock,
  used: BucketRange | undefined,
  wanted: BucketRange,
  most: number,
  fixed: number | undefined,
): BucketBlock {
  let { shift } = block
  let low = coarsen(wanted.low, shift)
  let high = coarsen(wanted.high, shift)
  if (used !== undefined) {
    low = Math.min(low, used.low)
    high = Math.max(high, used.high)
  }
  const limit = fixed === undefined ? most : Math.min(most, fixed)
  while (high - low + 1 > limit && shift < FINEST_SCHEMA - COARSEST_SCHEMA) {
    shift++
    low = coarsen(low, 1)
    high = coarsen(high, 1)
  }
  const span = high - low + 1
  let capacity = Math.max(block.capacity, FIRST_BLOCK)
  while (capacity < span) capacity *= 2
  capacity = fixed ?? Math.min(capacity, limit)
  // Room on both sides, as the next value is as likely to be smaller as larger.
  return { low: low - ((capacity - span) >> 1), shift, capacity }
}
