import { TieredCache } from '@millrace/cache-core/tiered'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { calls } from '../testing/server-counts.fixture.ts'
import { RedisStore } from './redis-store.ts'

describeRedis('Round trips', redis => {
  let raw: Redis
  let store: RedisStore<string>
  let cache: TieredCache<string>
  beforeEach(async () => {
    raw = new Redis(redis.server.port)
    await raw.flushall()
    store = new RedisStore({ url: redis.server.url })
    cache = new TieredCache({ store, ttl: 60_000 })
    await store.ready()
    await store.set('there', 'value', { tags: ['t'] })
    await cache.set('held', 'value', { tags: ['t'] })
  })
  afterEach(async () => {
    await store.close()
    raw.disconnect()
  })

  const many = Array.from({ length: 100 }, (_, i) => `k${i}`)
  const operations: Record<string, [trips: number, () => Promise<unknown>]> = {
    'a hit of the first tier, with a tag': [0, () => cache.get('held')],
    'a hit of the store': [1, () => store.get('there')],
    'a miss, fence included': [1, () => store.lookup(['none'])],
    'a write': [1, () => store.set('there', 'new', { tags: ['t', 'u'] })],
    'a delete': [1, () => store.delete('there')],
    'an expire': [1, () => store.expire('there')],
    'a deleted tag': [1, () => store.deleteTag('t')],
    'a clear to stale': [1, () => store.clear({ expire: true })],
    'a hundred reads at once': [1, () => Promise.all(many.map(key => store.get(key)))],
    'a hundred reads by getMany': [1, () => store.getMany(many)],
    'a hundred writes by setMany': [
      1,
      () => store.setMany(many.map(key => ({ key, value: 'v', tags: ['t'] }))),
    ],
    'a load: one read and one write': [
      2,
      async () => {
        const { fence } = await store.lookup(['loaded'])
        expect(await store.set('loaded', 'value', { fence, tags: ['t'] })).toBe(true)
      },
    ],
  }
  test.each(Object.entries(operations))('%s', async (_, [trips, operation]) => {
    const before = await calls([raw])
    const counted = store.stats().trips
    await operation()
    expect((await calls([raw])) - before).toBe(trips)
    expect(store.stats().trips - counted).toBe(trips)
  })
})
