import { TieredCache } from '@millrace/cache-core/tiered'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { commandsDuring } from '../testing/commands-during.fixture.ts'
import { PATIENT, PATIENT_TIERS } from '../testing/patience.fixture.ts'
import { calls } from '../testing/server-counts.fixture.ts'
import { RedisStore } from './redis-store.ts'

describeRedis('Round trips', redis => {
  let raw: Redis
  let store: RedisStore<string>
  let cache: TieredCache<string>
  beforeEach(async () => {
    raw = new Redis(redis.server.port)
    await raw.flushall()
    store = new RedisStore({ ...PATIENT, url: redis.server.url })
    cache = new TieredCache({ ...PATIENT_TIERS, store, ttl: 60_000 })
    await store.ready()
    await store.set('there', 'value', { tags: ['t'] })
    await cache.set('held', 'value', { tags: ['t'] })
  })
  afterEach(async () => {
    await store.close()
    raw.disconnect()
  })

  /** What comes alone in its turn of the event loop. */
  const alone: Record<string, () => Promise<unknown>> = {
    get: () => store.get('there'),
    'get of nothing': () => store.get('none'),
    'getMany of one': () => store.getMany(['there']),
    'lookup of one': () => store.lookup(['there']),
    fence: () => store.fence(),
    set: () => store.set('there', 'new'),
    'set with tags and lives': () =>
      store.set('there', 'new', { tags: ['t', 'u'], ttl: 60_000, retention: 5 }),
    'setMany of one': () => store.setMany([{ key: 'there', value: 'new' }]),
    delete: () => store.delete('there'),
    'deleteMany of one': () => store.deleteMany(['there']),
    expire: () => store.expire('there'),
    'expireMany of one': () => store.expireMany(['there']),
    deleteTag: () => store.deleteTag('t'),
    expireTag: () => store.expireTag('t'),
    'clear to stale': () => store.clear({ expire: true }),
    publish: () => store.publish([{ verb: 'delete', target: 'pattern', name: 't*' }]),
  }
  test.each(Object.entries(alone))('alone in its turn, one %s is one command', async (_, act) => {
    expect(await commandsDuring(redis.server.port, act)).toEqual(['evalsha'])
  })

  test('so are many of one turn, of every kind, and what is left over joins them', async () => {
    const all = () => Promise.all(Object.values(alone).map(act => act()))
    expect(await commandsDuring(redis.server.port, all)).toEqual(['evalsha'])
    const keys = (count: number) => Array.from({ length: count }, (_, i) => `k${i}`)
    // Batches are of 128 keys, calls of 256.
    for (const [count, calls] of [
      [129, 1],
      [256, 1],
      [257, 2],
    ] as const) {
      const read = () => store.getMany(keys(count))
      expect(await commandsDuring(redis.server.port, read)).toEqual(Array(calls).fill('evalsha'))
    }
  })

  test('a load through two tiers is one read and one write, a hit of the second one read', async () => {
    const load = () => cache.getOrLoad('loaded', () => 'value', { tags: ['t'] })
    const settled = async () => {
      await load()
      await expect.poll(() => store.stats().writes).toBe(3)
    }
    expect(await commandsDuring(redis.server.port, settled)).toEqual(['evalsha', 'evalsha'])
    const other = new TieredCache({ ...PATIENT_TIERS, store, ttl: 60_000 })
    const hit = () => other.getOrLoad('loaded', () => 'no', { tags: ['t'] })
    expect(await commandsDuring(redis.server.port, hit)).toEqual(['evalsha'])
  })

  test('a first write, before the time of the server is known, asks for it', async () => {
    await using fresh = new RedisStore<string>({ ...PATIENT, url: redis.server.url })
    const { client } = fresh
    await new Promise<void>(resolve => client.once('ready', resolve))
    const write = (key: string) => () => fresh.set(key, 'value')
    expect(await commandsDuring(redis.server.port, write('a'))).toEqual(['evalsha', 'evalsha'])
    expect(await commandsDuring(redis.server.port, write('b'))).toEqual(['evalsha'])
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
