import { TieredCache } from '@millrace/cache-core/tiered'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RedisBus } from '../bus/redis-bus.ts'
import { collect } from '../testing/collect.fixture.ts'
import { RedisStore } from './redis-store.ts'

describeRedis('Clients that users have', redis => {
  let raw: Redis
  beforeEach(async () => {
    raw = new Redis(redis.server.port)
    await raw.flushall()
  })
  afterEach(() => raw.disconnect())

  test('keyPrefix applies to everything that is written, found and freed', async () => {
    const client = new Redis(redis.server.port, { keyPrefix: 'app:' })
    const store = new RedisStore<string>({ client })
    await using bus = new RedisBus({ client })
    await bus.ready()
    const one = new TieredCache<string>({ store, ttl: 60_000 })
    const other = new TieredCache<string>({ store: new RedisStore({ client }), bus, ttl: 60_000 })
    await raw.set('millrace:cache:{0}:user:1', 'foreign')
    await one.set('user:1', 'old')
    await one.set('post:1', 'old')
    expect(await other.getOrLoad('user:1', () => 'no')).toBe('old')
    expect((await collect(store.keys())).sort()).toEqual(['post:1', 'user:1'])
    expect(await collect(store.keys({ prefix: 'user' }))).toEqual(['user:1'])
    await one.deleteMatching('user:*')
    expect(await store.get('user:1')).toBeUndefined()
    while ((await other.get('user:1')) !== undefined) await new Promise(setImmediate)
    expect(await other.getOrLoad('user:1', () => 'new')).toBe('new')
    await one.clear()
    expect((await raw.keys('*')).sort()).toEqual([
      'app:millrace:cache:{0}',
      'app:millrace:cache:{0}!',
      'millrace:cache:{0}:user:1',
    ])
    client.disconnect()
  })

  test('hashed keys are found, listed and freed', async () => {
    const { url } = redis.server
    await using store = new RedisStore<string>({ url, hashKeys: true })
    const long = 'secret'.repeat(10_000)
    await store.set(long, 'a', { tags: ['t'] })
    await store.set('\ud800', 'b')
    expect((await raw.keys('*')).every(name => name.length < 80)).toBe(true)
    expect((await collect(store.keys())).sort()).toEqual([long, '\ud800'].sort())
    expect((await store.get(long))?.value).toBe('a')
    expect(await store.delete(long)).toBe(true)
    expect(await collect(store.keys())).toEqual(['\ud800'])
    await store.clear()
    expect((await raw.keys('*')).length).toBe(2)
  })

  test('databases do not share a channel, and neither do prefixes', async () => {
    const { port, url } = redis.server
    const start = async (options: object) => {
      const store = new RedisStore<string>({ ...options } as never)
      const bus = new RedisBus({ ...options } as never)
      await bus.ready()
      return { store, bus, cache: new TieredCache<string>({ store, bus, ttl: 60_000 }) }
    }
    const all = await Promise.all([
      start({ url }),
      start({ url, prefix: 'other' }),
      start({ connection: { port, db: 3 } }),
    ])
    for (const { cache } of all) await cache.getOrLoad('k', () => 'kept')
    await all[0]!.cache.clear()
    await all[0]!.cache.set('k', 'changed')
    await raw.ping()
    for (const { cache } of all.slice(1)) {
      expect(await cache.getOrLoad('k', () => 'loaded')).toBe('kept')
      expect(cache.stats()).toMatchObject({ received: 0, gaps: 0 })
    }
    for (const { store, bus } of all) {
      await bus.close()
      await store.close()
    }
  })

  test('a client that reads from replicas is refused', () => {
    const client = new Redis({
      sentinels: [{ port: 1 }],
      name: 'x',
      role: 'slave',
      lazyConnect: true,
    })
    expect(() => new RedisStore({ client })).toThrow('`client.options.role`')
    expect(() => new RedisStore({ client: {} as never })).toThrow('`client`')
    expect(() => new RedisStore({ client, url: 'redis://x' } as never)).toThrow('`client`')
  })

  test('RESP2 will do', async () => {
    const client = new Redis(redis.server.port, { protocol: 2, keyPrefix: 'r2:' })
    const store = new RedisStore<string>({ client })
    await using bus = new RedisBus({ client })
    await bus.ready()
    await store.set('k', 'v', { tags: ['t'], ttl: 60_000, retention: 1_000 })
    expect(await store.get('k')).toMatchObject({ value: 'v', tags: ['t'] })
    await store.expireTag('t')
    expect((await store.get('k'))?.expires).toBe(0)
    client.disconnect()
  })
})
