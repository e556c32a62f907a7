import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import type { CreateCache, Limits } from '../contenders/caches.ts'
import { keysOf, readsOf, type Shape, usual, zipf } from './keys.ts'

const orderOf = ({ entries }: Shape): Int32Array => zipf(Math.min(200_000, entries * 2), entries)

/** Reads keys that are all held, the popular ones more often; the result is the sum of the values. */
export const hit =
  (
    create: CreateCache,
    limits: Omit<Limits, 'entries'> = {},
    shape: Shape = usual,
  ): Prepare<number> =>
  async () => {
    const { entries } = shape
    const cache = await create({ entries, ...limits })
    const names = keysOf(shape, entries)
    for (let index = 0; index < entries; index++) cache.set(names[index]!, index)
    const sequence = readsOf(shape, names, orderOf(shape))
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
      orderOf(shape).reduce((total, value) => total + value, 0),
    )
  }
