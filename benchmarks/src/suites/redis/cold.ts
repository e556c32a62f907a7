import assert from 'node:assert/strict'
import type { Prepare } from '../../define.ts'
import { observer, type TwoTiers, type Where } from './contenders.ts'

const operations = 2_000
/** Callers at once. */
const concurrency = 16

/** Every key once, none of them stored before. The result is the number of keys that were not loaded. */
export const cold =
  (open: (where: Where) => Promise<TwoTiers>): Prepare<number> =>
  async ({ fixture }) => {
    const port = fixture as number
    const redis = await observer(port)
    await redis.flushall()
    await redis.quit()
    const cache = await open({ port, entries: operations })
    const value = 'value '.repeat(10)
    let round = 0
    return {
      operations,
      async run() {
        round++
        let loads = 0
        let next = 0
        const load = async () => {
          loads++
          return value
        }
        const caller = async () => {
          while (next < operations) await cache.read(`user:profile:${round}:${next++}`, load)
        }
        await Promise.all(Array.from({ length: concurrency }, caller))
        return operations - loads
      },
      close: async () => void (await cache.close()),
    }
  }

export function checkCold(missed: number): void {
  assert.equal(missed, 0)
}
