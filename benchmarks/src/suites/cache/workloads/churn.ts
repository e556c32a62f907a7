import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import type { CreateCache } from '../contenders/caches.ts'
import { keyOf, type Shape, usual } from './keys.ts'

/** Sets keys that are not held, so that each set of a full cache evicts. The result is how many of them are held afterwards. */
export const churn =
  (create: CreateCache, { entries, kind }: Shape = usual): Prepare<number> =>
  async () => {
    const cache = await create({ entries })
    const operations = operationsOf(entries)
    const names = Array.from({ length: operations }, (_, index) => keyOf(kind, index))
    let start = 0
    return {
      operations,
      run() {
        // Key n comes again after several times the capacity, when no policy has kept it for long.
        for (let i = 0; i < operations; i++) cache.set(names[i]!, start + i)
        let held = 0
        // Other keys each time: a read makes an entry worth keeping, and these would be the only ones read.
        for (let i = start % 100; i < operations; i += 100) {
          if (cache.get(names[i]!) === start + i) held++
        }
        start++
        return held
      },
    }
  }

/** A sample of one key in a hundred finds about one in a hundred of those held. */
export const checkChurn =
  ({ entries }: Shape = usual) =>
  (held: number): void => {
    assert.ok(held > entries / 500 && held <= entries / 50, `${held} sampled keys are held`)
  }

/** Ten times the capacity; three times a million. */
const operationsOf = (entries: number): number => Math.min(entries * 10, 3_000_000)
