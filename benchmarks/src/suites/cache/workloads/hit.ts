import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import type { CreateCache, Limits } from '../contenders/caches.ts'
import { keyOf, type Shape, usual, zipf } from './keys.ts'

const readsOf = ({ entries }: Shape): number => Math.min(200_000, entries * 2)

/** Reads keys that are all held, the popular ones more often; the result is the sum of the values. */
export const hit =
  (
    create: CreateCache,
    limits: Omit<Limits, 'entries'> = {},
    shape: Shape = usual,
  ): Prepare<number> =>
  async () => {
    const { entries, kind } = shape
    const cache = await create({ entries, ...limits })
    for (let index = 0; index < entries; index++) cache.set(keyOf(kind, index), index)
    // Keys are looked up through other string objects than they were stored under, as in a server.
    const sequence = Array.from(zipf(readsOf(shape), entries), index => keyOf(kind, index))
    return {
      operations: sequence.length,
      run() {
        let sum = 0
        for (let i = 0; i < sequence.length; i++) sum += cache.get(sequence[i]!)!
        return sum
      },
    }
  }

export const checkHit =
  (shape: Shape = usual) =>
  (sum: number): void => {
    assert.equal(
      sum,
      zipf(readsOf(shape), shape.entries).reduce((total, value) => total + value, 0),
    )
  }
