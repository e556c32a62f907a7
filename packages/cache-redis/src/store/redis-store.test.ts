import { setTimeout as sleep } from 'node:timers/promises'
import { structuredCodec } from '@millrace/cache-core/store'
import { storeContract } from '@millrace/cache-core/store-contract'
import { runs, startSentinel } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { PATIENT } from '../testing/patience.fixture.ts'
import { RedisStore } from './redis-store.ts'

let prefixes = 0

describeRedis('RedisStore on one server', redis => {
  storeContract('RedisStore', {
    runner: { describe, test },
    modelRuns: runs(30),
    open: async () => {
      const prefix = `contract-${prefixes++}`
      const open = () => new RedisStore({ ...PATIENT, url: redis.server.url, prefix })
      const store = open()
      return {
        store,
        // Only real time moves the server's clock, by which it expires keys.
        advance: ms => sleep(ms),
        peer: async () => open(),
        remove: () => store.close(),
      }
    },
  })

  describe('RedisStore', () => {
    let store: RedisStore
    let raw: Redis
    let prefix: string
    beforeEach(() => {
      prefix = `own-${prefixes++}`
      store = new RedisStore({ ...PATIENT, url: redis.server.url, prefix })
      raw = new Redis(redis.server.port)
    })
    afterEach(async () => {
      await store.close()
      raw.disconnect()
    })

    test('stores with different prefixes do not see each other, even if one begins like the other', async () => {
      const neighbours = ['own', 'own:{', 'ow*', '[own]'].map(prefix => prefix.replace('{', ''))
      const stores = neighbours.map(prefix => new RedisStore({ ...PATIENT, client: raw, prefix }))
      for (const [index, each] of stores.entries()) await each.set('key', index)
      await stores[2]!.clear()
      expect(await Promise.all(stores.map(async each => (await each.get('key'))?.value))).toEqual([
        0,
        1,
        undefined,
        3,
      ])
      for (const each of stores) await each.clear()
    })

    test('clear leaves none of its keys but the journal, and no other key is touched', async () => {
      await raw.flushall()
      await raw.set('foreign', 'kept')
      await raw.rpush(`${prefix}:{0}:list`, 'kept')
      await store.setMany(
        Array.from({ length: 1_200 }, (_, i) => ({ key: `k${i}`, value: i, tags: [`t${i % 7}`] })),
      )
      await store.delete('k0')
      await store.clear()
      const left = await raw.keys('*')
      expect(left.sort()).toEqual([
        'foreign',
        `${prefix}:{0}`,
        `${prefix}:{0}!`,
        `${prefix}:{0}:list`,
      ])
      expect(await raw.get('foreign')).toBe('kept')
    })

    test('a value is one key, which expires in Redis itself', async () => {
      await raw.flushall()
      await store.set('key', 1, { ttl: 400_000, retention: 200_000, tags: ['t'] })
      await store.delete('other')
      const lives = await Promise.all(
        (await raw.keys('*')).map(async name => {
          const left = await raw.pttl(name)
          return [name, left < 0 ? 'for ever' : Math.round(left / 100_000)]
        }),
      )
      expect(Object.fromEntries(lives)).toEqual({
        [`${prefix}:{0}:key`]: 6,
        [`${prefix}:{0}`]: 'for ever',
        [`${prefix}:{0}!`]: 'for ever',
      })
    })

    test('bytes that are no value, or of another key, are a miss and counted', async () => {
      await store.set('a', 1)
      await store.set('b', 2)
      const [name, other] = [`${prefix}:{0}:a`, `${prefix}:{0}:b`]
      await raw.set(name, 'something else')
      expect(await store.get('a')).toBeUndefined()
      await raw.set(name, (await raw.getBuffer(other))!)
      expect(await store.get('a')).toBeUndefined()
      await raw.set(name, (await raw.getBuffer(other))!.subarray(0, 40))
      expect(await store.get('a')).toBeUndefined()
      expect(store.stats()).toMatchObject({ corrupt: 3, misses: 3, hits: 0 })
    })

    test('codec and compression are the store’s', async () => {
      const { client } = store
      await using rich = new RedisStore({
        ...PATIENT,
        client,
        prefix: 'rich',
        codec: structuredCodec,
        compression: { algorithm: 'zstd', threshold: 100 },
      })
      const value = { at: new Date(0), text: 'long '.repeat(1_000) }
      await rich.set('key', value)
      expect((await rich.get('key'))?.value).toEqual(value)
      expect(await raw.strlen('rich:{0}:key')).toBeLessThan(300)
      await rich.clear()
    })

    test('a script that the server forgot is sent again', async () => {
      await store.set('key', 1)
      await raw.script('FLUSH')
      expect(await store.set('key', 2, { fence: await store.fence() })).toBe(true)
      expect((await store.get('key'))?.value).toBe(2)
    })

    test('a client that was handed in stays open', async () => {
      const borrowed = new RedisStore({ ...PATIENT, client: raw, prefix: 'borrowed' })
      await borrowed.close()
      expect(await raw.ping()).toBe('PONG')
    })

    test('Redis’ own refusals are typed, with the cause', async () => {
      await store.set('key', 0)
      await raw.config('SET', 'maxmemory', '1')
      await expect(store.set('key', 1)).rejects.toMatchObject({
        code: 'ERR_MILLRACE_REDIS_UNAVAILABLE',
        operation: 'set',
        reason: 'reply',
        cause: { message: expect.stringContaining('OOM') },
      })
      await raw.config('SET', 'maxmemory', '0')
      expect(await store.set('key', 1)).toBe(true)
    })

    test('bad options are named', () => {
      const url = redis.server.url
      expect(() => new RedisStore({ url, prefix: 'a{b}' })).toThrow(
        'Expected `prefix` to be a string without braces, not empty, got a string of length 4',
      )
      expect(() => new RedisStore({ url, timeout: 0 })).toThrow(
        'Expected `timeout` to be a finite number above 0, got 0',
      )
      expect(() => new RedisStore({ url, maxValueBytes: 0 })).toThrow('`maxValueBytes`')
      expect(() => new RedisStore({ url, tll: 5 } as never)).toThrow('`ttl`?')
      expect(() => new RedisStore({} as never)).toThrow('`client`')
    })
  })
})

describeRedis('RedisStore through Sentinel', () => {
  let set: Awaited<ReturnType<typeof startSentinel>>
  let client: Redis
  beforeAll(async () => {
    set = await startSentinel()
    client = new Redis({ sentinels: set.sentinels, name: set.name })
  })
  afterAll(async () => {
    client.disconnect()
    await set.stop()
  })

  storeContract('RedisStore', {
    runner: { describe, test },
    modelRuns: runs(5),
    open: async () => {
      const prefix = `contract-${prefixes++}`
      const store = new RedisStore({ ...PATIENT, client, prefix })
      return {
        store,
        // As above.
        advance: ms => sleep(ms),
        peer: async () => new RedisStore({ ...PATIENT, client, prefix }),
        remove: () => store.close(),
      }
    },
  })
})
