import { SATURATED } from './policy.ts'
import { NONE } from './slot-queue.ts'

/** One in this many of the entries that are looked at, as a power of two, may be another one. */
const OTHERS_SHIFT = 2
/** What {@link readOncePace} says where keys are not read so. */
export const NOT_READ_ONCE: number = -Infinity

/**
 * Looks at the oldest eighth of a queue, and says whether nearly all of it was read once more since it came, and only once: then keys are done with
 * their second read, as those of messages, tokens and pages of a feed are, and a FIFO that spares nobody keeps just what is still to be read.
 * O(n) for that eighth; where keys are not read so it ends after a quarter of it.
 *
 * @param newer next newer slot of each
 * @param stamps when each was hit last, in ticks of 16 bits, of which 32 are the capacity
 * @returns ticks between the hits of the older and of the newer half, which tell what was pushed meanwhile: 2 where a key comes for each that is hit, as where each is read twice, and
 * at most about 1 in a loop over what fits, where few come. `NOT_READ_ONCE` if it was not, or the queue is shorter; NaN below 16 slots
 */
export function readOncePace(
  oldest: number,
  newer: Int32Array,
  frequency: Uint8Array,
  stamps: Uint16Array,
): number {
  const half = newer.length >> 4
  let others = half >> (OTHERS_SHIFT - 1)
  let slot = oldest
  let difference = 0
  for (let at = -half; at < half; at++) {
    if (slot === NONE) return NOT_READ_ONCE
    if ((frequency[slot]! & SATURATED) !== 1) {
      if (--others < 0) return NOT_READ_ONCE
    } else {
      const stamp = ((stamps[slot]! - stamps[oldest]!) << 16) >> 16
      difference += at < 0 ? -stamp : stamp
    }
    slot = newer[slot]!
  }
  return difference / half
}
