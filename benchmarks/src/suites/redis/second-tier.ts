import assert from 'node:assert/strict'
import type { Prepare } from '../../define.ts'

const operations = 4_000
const distinct = 1_000
/** Callers at once. */
const concurrency = 16
const textOf = (id: number) => `value of ${id} `.repeat(10)

interface SecondTier {
  get(key: string): Promise<string | undefined | null>
  set(key: string, value: string): Promise<unknown>
  close(): Promise<unknown>
}

async function millraceStore(port: number): Promise<SecondTier> {
  const { RedisStore } = await import('@millrace/cache-redis')
  const store = new RedisStore<string>({ url: `redis://127.0.0.1:${port}`, prefix: 'reads' })
  return {
    get: async key => (await store.get(key))?.value,
    set: (key, value) => store.set(key, value, { tags: ['users'] }),
    close: () => store.close(),
  }
}

async function bareIoredis(port: number): Promise<SecondTier> {
  const { Redis } = await import('ioredis')
  const redis = new Redis({ host: '127.0.0.1', port })
  return {
    get: key => redis.get(key),
    set: (key, value) => redis.set(key, value),
    close: () => redis.quit(),
  }
}

/** Hits of the second tier alone. The result is the number of wrong values. */
const reads =
  (open: (port: number) => Promise<SecondTier>): Prepare<number> =>
  async ({ fixture }) => {
    const tier = await open(fixture as number)
    const keys = Array.from({ length: distinct }, (_, id) => `user:profile:${id}`)
    const values = keys.map((_, id) => textOf(id))
    for (const [id, key] of keys.entries()) await tier.set(key, values[id]!)
    return {
      operations,
      async run() {
        let wrong = 0
        let next = 0
        const caller = async () => {
          while (next < operations) {
            const id = next++ % distinct
            if ((await tier.get(keys[id]!)) !== values[id]) wrong++
          }
        }
        await Promise.all(Array.from({ length: concurrency }, caller))
        return wrong
      },
      close: async () => void (await tier.close()),
    }
  }

export const storeReads: Prepare<number> = reads(millraceStore)
export const bareReads: Prepare<number> = reads(bareIoredis)

export function checkReads(wrong: number): void {
  assert.equal(wrong, 0)
}
