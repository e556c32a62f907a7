import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import type { CreateCache } from '../contenders/caches.ts'
import { keysOf, type Shape, usual } from './keys.ts'

export interface ChurnResult {
  readonly sampled: number
  /** How many of those were held, with the value that was set last. */
  readonly held: number
}

/** Most sets of one run. */
const longestRun = 100_000
/** One key in this many is looked up again. */
const sampling = 100

/** Keys that take turns: ten times the capacity, twice a million; no policy keeps one until it is its turn again. */
const namesOf = ({ entries }: Shape): number => Math.min(entries * 10, 2_000_000)

/** Sets keys that are not held in a full cache, so that each set evicts. A run goes on where the last one ended. */
export const churn =
  (create: CreateCache, shape: Shape = usual): Prepare<ChurnResult> =>
  async () => {
    const cache = await create({ entries: shape.entries })
    const count = namesOf(shape)
    const names = keysOf(shape, count)
    const operations = Math.min(count, longestRun)
    const values = new Int32Array(count)
    let at = 0
    for (; at < shape.entries; at++) cache.set(names[at]!, 0)
    let lap = 0
    let offset = 0
    return {
      operations,
      run() {
        lap++
        let next = at
        for (let i = 0; i < operations; i++) {
          if (next === count) next = 0
          values[next] = lap
          cache.set(names[next++]!, lap)
        }
        at = next
        // Other keys each time: a read makes an entry worth keeping, and these would be the only ones read.
        offset = (offset + 1) % sampling
        const step = (sampling * count) / operations
        let sampled = 0
        let held = 0
        for (let i = offset; i < count; i += step) {
          sampled++
          if (cache.get(names[i]!) === values[i]!) held++
        }
        return { sampled, held }
      },
    }
  }

/** What share of all keys the cache holds. */
export const checkChurn =
  (shape: Shape = usual) =>
  ({ sampled, held }: ChurnResult): void => {
    const share = shape.entries / namesOf(shape)
    assert.ok(
      held > (share / 5) * sampled && held <= share * 2 * sampled,
      `${held} of ${sampled} sampled keys are held`,
    )
  }
