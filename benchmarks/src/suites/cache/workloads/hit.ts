import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import type { CreateCache, Limits } from '../contenders/caches.ts'
import { keys, zipf } from './keys.ts'

const entries = 10_000
const reads = 20_000

/** Reads keys that are all held, the popular ones more often; the result is the sum of the values. */
export const hit =
  (create: CreateCache, limits: Omit<Limits, 'entries'> = {}): Prepare<number> =>
  async () => {
    const cache = await create({ entries, ...limits })
    const names = keys(entries)
    names.forEach((name, value) => {
      cache.set(name, value)
    })
    // Keys are looked up through other string objects than they were stored under, as in a server.
    const wanted = keys(entries)
    const order = zipf(reads, entries)
    const sequence = Array.from(order, index => wanted[index]!)
    return {
      operations: reads,
      run() {
        let sum = 0
        for (let i = 0; i < sequence.length; i++) sum += cache.get(sequence[i]!)!
        return sum
      },
    }
  }

export function checkHit(sum: number): void {
  assert.equal(
    sum,
    zipf(reads, entries).reduce((total, value) => total + value, 0),
  )
}
