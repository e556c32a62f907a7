import assert from 'node:assert/strict'
import type { Prepare } from '../../define.ts'
import { randomNumbers, zipf } from '../cache/workloads/keys.ts'
import { observer, type TwoTiers, type Where } from './contenders.ts'

const distinct = 10_000
const entries = 1_000
const operations = 4_000
/** Callers at once. */
const concurrency = 16

/**
 * 95 % reads, 4 % writes, 1 % removals of 10,000 keys by a Zipf law, in memory of 1,000. The result is the number of reads
 * that gave another value than the key's.
 */
export const mixed =
  (open: (where: Where) => Promise<TwoTiers>): Prepare<number> =>
  async ({ fixture }) => {
    const port = fixture as number
    const redis = await observer(port)
    await redis.flushall()
    await redis.quit()
    const cache = await open({ port, entries })
    const order = zipf(operations, distinct)
    const random = randomNumbers(7)
    const kinds = Array.from({ length: operations }, () => random())
    const values = Array.from({ length: distinct }, (_, key) => `value of ${key} `.repeat(10))
    const one = async (index: number): Promise<number> => {
      const id = order[index]!
      const key = `user:profile:${id}`
      const kind = kinds[index]!
      if (kind < 0.01) await cache.remove(key)
      else if (kind < 0.05) await cache.write(key, values[id]!)
      else return (await cache.read(key, async () => values[id]!)) === values[id] ? 0 : 1
      return 0
    }
    return {
      operations,
      async run() {
        let wrong = 0
        let next = 0
        const caller = async () => {
          while (next < operations) wrong += await one(next++)
        }
        await Promise.all(Array.from({ length: concurrency }, caller))
        return wrong
      },
      close: async () => void (await cache.close()),
    }
  }

export function checkMixed(wrong: number): void {
  assert.equal(wrong, 0)
}

/** Commands that Redis processes for one read of a tagged value that is held in memory. */
export const commandsPerHit =
  (open: (where: Where) => Promise<TwoTiers>): Prepare<string> =>
  async ({ fixture }) => {
    const port = fixture as number
    const redis = await observer(port)
    await redis.flushall()
    const cache = await open({ port, entries })
    const read = () => cache.read('user:profile:1', async () => 'loaded')
    return {
      async measure() {
        await read()
        await read()
        const before = await commands()
        let result = ''
        for (let i = 0; i < operations; i++) result = await read()
        // The reading itself is one command.
        return { value: ((await commands()) - before - 1) / operations, result }
      },
      async close() {
        await cache.close()
        await redis.quit()
      },
    }

    async function commands(): Promise<number> {
      return Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))![1])
    }
  }

export function checkCommands(result: string): void {
  assert.equal(result, 'loaded')
}
