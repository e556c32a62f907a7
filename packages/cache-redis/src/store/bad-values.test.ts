import { TieredCache } from '@millrace/cache-core/tiered'
import { RedisServer } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RedisBus } from '../bus/redis-bus.ts'
import { collect } from '../testing/collect.fixture.ts'
import { PATIENT, PATIENT_TIERS } from '../testing/patience.fixture.ts'
import { RedisStore } from './redis-store.ts'

describeRedis('Bad values and foreign keys', redis => {
  let raw: Redis
  let store: RedisStore<string>
  beforeEach(async () => {
    raw = new Redis(redis.server.port)
    await raw.flushall()
    store = new RedisStore({ ...PATIENT, url: redis.server.url })
    await store.setMany(['a', 'b'].map(key => ({ key, value: key })))
  })
  afterEach(async () => {
    await store.close()
    raw.disconnect()
  })

  test('a key of another type is a miss for itself alone, and is never replaced or deleted', async () => {
    const types: Record<string, () => Promise<unknown>> = {
      list: () => raw.rpush('millrace:cache:{0}:x', 'foreign'),
      hash: () => raw.hset('millrace:cache:{0}:x', 'f', 'foreign'),
      stream: () => raw.xadd('millrace:cache:{0}:x', '*', 'f', 'foreign'),
    }
    let foreign = 0
    for (const [type, make] of Object.entries(types)) {
      await raw.del('millrace:cache:{0}:x')
      await make()
      const entries = await store.getMany(['a', 'x', 'b'])
      expect(entries.map(entry => entry?.value)).toEqual(['a', undefined, 'b'])
      expect((await collect(store.keys())).sort()).toEqual(['a', 'b'])
      const cache = new TieredCache<string>({ ...PATIENT_TIERS, store, ttl: 60_000 })
      const asked: string[] = []
      await cache.getOrLoadMany(['a', 'b', 'x'], keys => {
        asked.push(...keys)
        return new Map(keys.map(key => [key, key]))
      })
      expect(asked).toEqual(['x'])
      expect(await store.delete('x')).toBe(false)
      expect(await store.expire('x')).toBe(false)
      expect(await store.set('x', 'value')).toBe(false)
      expect(await store.setMany([{ key: 'x', value: 'v' }])).toEqual([false])
      await store.set('a', 'a')
      expect(await raw.type('millrace:cache:{0}:x')).toBe(type)
      expect(store.stats().foreign).toBeGreaterThan(foreign)
      foreign = store.stats().foreign
    }
    await store.clear()
    expect(await raw.exists('millrace:cache:{0}:x')).toBe(1)
    expect(store.stats()).toMatchObject({ failures: 0, breakerOpened: 0 })
  })

  test.each(['', '!'])(
    'a key of another type in the place of a sorted set (%o) is a typed error, and is never deleted',
    async place => {
      const name = `foreign:{0}${place}`
      await raw.rpush(name, 'foreign')
      await using one = new RedisStore<string>({
        ...PATIENT,
        url: redis.server.url,
        prefix: 'foreign',
      })
      const refused = { code: 'ERR_MILLRACE_REDIS_UNAVAILABLE', reason: 'reply' }
      for (let round = 0; round < 2; round++) {
        await expect(one.set('k', 'v')).rejects.toMatchObject(refused)
        await expect(one.get('k')).rejects.toMatchObject(refused)
        await expect(one.deleteTag('t')).rejects.toMatchObject(refused)
        await expect(one.clear()).rejects.toMatchObject(refused)
      }
      expect(await raw.lrange(name, 0, -1)).toEqual(['foreign'])
      expect(await raw.keys('foreign:*')).toEqual([name])
      await raw.del(name)
      expect(await one.set('k', 'v')).toBe(true)
    },
  )

  test('what is no string is refused before anything is sent, and is no failure of Redis', async () => {
    const { trips } = store.stats()
    const invalid = { code: 'ERR_MILLRACE_INVALID_OPTION' }
    for (let i = 0; i < 10; i++) {
      await expect(store.set('k', 'v', { tags: [5 as never] })).rejects.toMatchObject(invalid)
      await expect(store.set(5 as never, 'v')).rejects.toMatchObject(invalid)
      await expect(store.get(undefined as never)).rejects.toMatchObject(invalid)
      await expect(store.deleteTag(null as never)).rejects.toMatchObject(invalid)
      await expect(store.deleteMany(['a', {} as never])).rejects.toMatchObject(invalid)
    }
    for (const list of [undefined, null, 'ab', 5, {}, new Set(['a'])] as never[]) {
      await expect(store.getMany(list)).rejects.toMatchObject(invalid)
      await expect(store.lookup(list)).rejects.toMatchObject(invalid)
      await expect(store.setMany(list)).rejects.toMatchObject(invalid)
      await expect(store.deleteMany(list)).rejects.toMatchObject(invalid)
      await expect(store.expireMany(list)).rejects.toMatchObject(invalid)
    }
    for (const fence of [null, 5, 'epoch', true] as never[]) {
      await expect(store.set('a', 'v', { fence })).rejects.toMatchObject(invalid)
      await expect(store.setMany([{ key: 'a', value: 'v', fence }])).rejects.toMatchObject(invalid)
    }
    for (const signal of [null, 5, {}, new Event('abort')] as never[]) {
      await expect(store.get('a', { signal })).rejects.toMatchObject(invalid)
      await expect(store.set('a', 'v', { signal })).rejects.toMatchObject(invalid)
      await expect(store.clear({ signal })).rejects.toMatchObject(invalid)
    }
    expect(store.stats()).toMatchObject({ trips, failures: 0, breakerOpened: 0 })
    expect((await store.get('a'))?.value).toBe('a')
  })

  test('options that no call has are refused with the nearest name, and nothing is sent', async () => {
    const { trips } = store.stats()
    const signal = AbortSignal.timeout(1_000)
    const wrong = (options: object) => options as never
    const calls: Record<string, () => Promise<unknown>> = {
      signal: () => store.get('a', wrong({ signale: signal })),
      'signal ': () => store.getMany(['a'], wrong({ sginal: signal })),
      'signal  ': () => store.lookup(['a'], wrong({ signl: signal })),
      ttl: () => store.set('a', 'b', wrong({ tll: 5 })),
      tags: () => store.setMany([wrong({ key: 'a', value: 'b', tag: ['t'] })]),
      retention: () => store.set('a', 'b', wrong({ retension: 5 })),
      'fence ': () => store.set('a', 'b', wrong({ fenc: {} })),
      'signal 1': () => store.delete('a', wrong({ Signal: signal })),
      'signal 2': () => store.deleteMany(['a'], wrong({ signa: signal })),
      'signal 3': () => store.expire('a', wrong({ signa: signal })),
      'signal 4': () => store.expireMany(['a'], wrong({ signa: signal })),
      'signal 5': () => store.deleteTag('a', wrong({ signa: signal })),
      'signal 6': () => store.expireTag('a', wrong({ signa: signal })),
      'signal 7': () => store.fence(wrong({ signa: signal })),
      'signal 8': () => store.ready(wrong({ signa: signal })),
      expire: () => store.clear(wrong({ expires: true })),
      prefix: () => collect(store.keys(wrong({ prefx: 'a' }))),
    }
    for (const [meant, call] of Object.entries(calls)) {
      await expect(call()).rejects.toThrow(`\`${meant.split(' ')[0]}\`?`)
    }
    expect(store.stats()).toMatchObject({ trips, failures: 0 })
    expect((await store.get('a'))?.value).toBe('a')
  })

  test('tags are any strings, of any length', async () => {
    const tags = ['x'.repeat(70_000), '\ud800', '\udc00', '', 'a\0b', '\u0001"', '#id', '#floor']
    for (const [index, tag] of tags.entries()) await store.set(`k${index}`, 'v', { tags: [tag] })
    for (const [index, tag] of tags.entries()) {
      expect((await store.get(`k${index}`))?.tags).toEqual([tag])
      await store.deleteTag(tag)
      expect(await store.get(`k${index}`)).toBeUndefined()
      if (index + 1 < tags.length) {
        expect((await store.get(`k${index + 1}`))?.value).toBe('v')
      }
    }
  })

  test('big values take their time, and are no outage for small ones', async () => {
    await using store = new RedisStore<string>({ url: redis.server.url, ...PATIENT })
    const big = 'x'.repeat(3 * 2 ** 20)
    expect(await store.set('big', big)).toBe(true)
    const reads = Array.from({ length: 4 }, async () => (await store.get('big'))?.value.length)
    for (let i = 0; i < 20; i++) expect((await store.get('a'))?.value).toBe('a')
    expect(await Promise.all(reads)).toEqual(Array(4).fill(big.length))
    expect(await store.expire('big')).toBe(true)
    expect(await store.get('big')).toMatchObject({ expires: 0 })
    expect(store.stats()).toMatchObject({ timeouts: 0, failures: 0, breakerOpened: 0 })
  })

  test('a value beyond the limit has a typed error, alone', async () => {
    await using narrow = new RedisStore<string>({
      ...PATIENT,
      url: redis.server.url,
      maxValueBytes: 1_000,
    })
    await expect(narrow.set('k', 'x'.repeat(2_000))).rejects.toMatchObject({
      code: 'ERR_MILLRACE_REDIS_VALUE_TOO_LARGE',
      limit: 1_000,
      size: 2_003,
    })
    const items = [
      { key: 'k', value: 'x'.repeat(2_000) },
      { key: 'l', value: 'y' },
    ]
    expect(await narrow.setMany(items)).toEqual([false, true])
    expect(narrow.stats()).toMatchObject({ refused: 1, writes: 1, failures: 0 })
    const { url } = redis.server
    await using tiny = new RedisStore<string>({ ...PATIENT, url, maxValueBytes: 1_000_000 })
    await using patient = new RedisStore<string>({ url, ...PATIENT })
    await patient.set('k', 'x'.repeat(2_000_000))
    expect(await tiny.get('k')).toBeUndefined()
  })
})

test('a wrong password is the cause of every error, and nothing waits for it', async () => {
  await using server = await RedisServer.start()
  const admin = new Redis(server.port)
  await admin.config('SET', 'requirepass', 'right')
  admin.disconnect()
  for (const url of [`redis://:wrong@127.0.0.1:${server.port}`, server.url]) {
    await using store = new RedisStore<string>({ ...PATIENT, url })
    await using bus = new RedisBus({ ...PATIENT, url })
    const refusal = { message: expect.stringMatching(/WRONGPASS|NOAUTH/) }
    for (let i = 0; i < 5; i++) {
      await expect(store.get('k')).rejects.toMatchObject({
        code: 'ERR_MILLRACE_REDIS_UNAVAILABLE',
        cause: refusal,
      })
    }
    await expect(store.ready()).rejects.toMatchObject({ cause: refusal })
    await expect(bus.ready()).rejects.toMatchObject({ cause: refusal })
  }
})
