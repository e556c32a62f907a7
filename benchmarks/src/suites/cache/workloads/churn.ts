import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import type { CreateCache } from '../contenders/caches.ts'
import { keys } from './keys.ts'

const capacity = 10_000
const operations = 100_000

/** Sets keys that are not held, so that each set of a full cache evicts. The result is how many of them are held afterwards. */
export const churn =
  (create: CreateCache): Prepare<number> =>
  async () => {
    const cache = await create({ entries: capacity })
    const names = keys(operations)
    let start = 0
    return {
      operations,
      run() {
        // Key n comes again after ten times the capacity, when no policy has kept it for long.
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

/** A sample of one key in a hundred finds about a hundred of the 10,000 held. */
export function checkChurn(held: number): void {
  assert.ok(held > 20 && held <= 200, `${held} of the sampled keys are held`)
}
