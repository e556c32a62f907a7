import { SATURATED } from './policy.ts'
import { NONE } from './slot-queue.ts'

/** One eighth of the slots is looked at, and one in four of those entries may be another one. */
const LOOKED_AT_SHIFT = 3
const OTHERS_SHIFT = 2

/**
 * Whether nearly all of the oldest entries of a queue were read once more since they came, and only once: then keys are done with
 * their second read, as those of messages, tokens and pages of a feed are, and a FIFO that spares nobody keeps just what is still to be read.
 * False if the queue has less than an eighth of the slots. O(n) for that eighth; where keys are not read so it ends after a quarter of it.
 *
 * @param newer next newer slot of each
 */
export function areReadOnce(oldest: number, newer: Int32Array, frequency: Uint8Array): boolean {
  let left = newer.length >> LOOKED_AT_SHIFT
  let others = left >> OTHERS_SHIFT
  let slot = oldest
  for (; left >= 0; left--) {
    if (slot === NONE || ((frequency[slot]! & SATURATED) !== 1 && --others < 0)) return false
    slot = newer[slot]!
  }
  return true
}
