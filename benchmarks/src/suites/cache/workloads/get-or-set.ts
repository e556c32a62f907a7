import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import type { CreateCache } from '../contenders/caches.ts'
import { keyOf, type Shape, usual, zipf } from './keys.ts'

export interface GetOrSetResult {
  /** Sum of the values read or set. */
  readonly sum: number
  readonly misses: number
}

const operationsOf = ({ entries }: Shape): number => Math.max(200_000, entries * 2)
/** Ten keys for each entry; fewer for a million, as making so many keys would take longer than reading them. */
const distinctOf = ({ entries }: Shape): number => Math.min(entries * 10, 2_000_000)

/** Reads keys by a Zipf law through a cache that holds a tenth of them, and sets what it misses. */
export const getOrSet =
  (create: CreateCache, shape: Shape = usual): Prepare<GetOrSetResult> =>
  async () => {
    const cache = await create({ entries: shape.entries })
    const order = zipf(operationsOf(shape), distinctOf(shape))
    // A key of its own for each read, as each request to a server brings one.
    const sequence = Array.from(order, index => keyOf(shape.kind, index))
    const result = { sum: 0, misses: 0 }
    return {
      operations: sequence.length,
      run() {
        let sum = 0
        let misses = 0
        for (let i = 0; i < sequence.length; i++) {
          const key = sequence[i]!
          let value = cache.get(key)
          if (value === undefined) {
            misses++
            value = order[i]!
            cache.set(key, value)
          }
          sum += value
        }
        result.sum = sum
        result.misses = misses
        return result
      },
    }
  }

export const checkGetOrSet =
  (shape: Shape = usual) =>
  ({ sum, misses }: GetOrSetResult): void => {
    const operations = operationsOf(shape)
    const order = zipf(operations, distinctOf(shape))
    assert.equal(
      sum,
      order.reduce((total, value) => total + value, 0),
    )
    // A cache of a tenth to a half of the keys misses that share of such reads, by its policy; else it is none, or has no bound.
    assert.ok(
      misses > 0.03 * operations && misses < 0.65 * operations,
      `${misses} misses in ${operations} reads`,
    )
  }
