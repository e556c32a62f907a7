import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import type { CreateCache } from '../contenders/caches.ts'
import { keys, zipf } from './keys.ts'

const distinct = 100_000
const capacity = 10_000
const operations = 200_000

export interface GetOrSetResult {
  /** Sum of the values read or set. */
  readonly sum: number
  readonly misses: number
}

/** Reads 100,000 keys by a Zipf law through a cache of 10,000 and sets what it misses. */
export const getOrSet =
  (create: CreateCache): Prepare<GetOrSetResult> =>
  async () => {
    const cache = await create({ entries: capacity })
    const names = keys(distinct)
    const order = zipf(operations, distinct)
    const result = { sum: 0, misses: 0 }
    return {
      operations,
      run() {
        let sum = 0
        let misses = 0
        for (let i = 0; i < operations; i++) {
          const index = order[i]!
          const name = names[index]!
          let value = cache.get(name)
          if (value === undefined) {
            misses++
            value = index
            cache.set(name, value)
          }
          sum += value
        }
        result.sum = sum
        result.misses = misses
        return result
      },
    }
  }

export function checkGetOrSet({ sum, misses }: GetOrSetResult): void {
  assert.equal(
    sum,
    zipf(operations, distinct).reduce((total, value) => total + value, 0),
  )
  // A cache of a tenth of the keys misses between 20 and 35 % of such reads, by its policy; else it is none, or has no bound.
  assert.ok(misses > 0.15 * operations && misses < 0.4 * operations, `${misses} misses`)
}
