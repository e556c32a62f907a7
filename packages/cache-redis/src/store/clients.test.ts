import { TieredCache } from '@millrace/cache-core/tiered'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis, type RedisOptions } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BusLog } from '../bus/bus-log.fixture.ts'
import { RedisBus } from '../bus/redis-bus.ts'
import { RedisLease } from '../lease/redis-lease.ts'
import { collect } from '../testing/collect.fixture.ts'
import { PATIENT, PATIENT_TIERS } from '../testing/patience.fixture.ts'
import { RedisTracking } from '../tracking/redis-tracking.ts'
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
    const store = new RedisStore<string>({ ...PATIENT, client })
    await using bus = new RedisBus({ ...PATIENT, client })
    await bus.ready()
    const one = new TieredCache<string>({ ...PATIENT_TIERS, store, ttl: 60_000 })
    const other = new TieredCache<string>({
      ...PATIENT_TIERS,
      store: new RedisStore({ ...PATIENT, client }),
      bus,
      ttl: 60_000,
    })
    await raw.set('millrace:cache:{0}:user:1', 'foreign')
    await one.set('user:1', 'old')
    await one.set('post:1', 'old')
    expect(await other.getOrLoad('user:1', () => 'no')).toBe('old')
    expect((await collect(store.keys())).sort()).toEqual(['post:1', 'user:1'])
    expect(await collect(store.keys({ prefix: 'user' }))).toEqual(['user:1'])
    await one.deleteMatching('user:*')
    expect(await store.get('user:1')).toBeUndefined()
    await expect.poll(() => other.get('user:1')).toBe(undefined)
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
    await using store = new RedisStore<string>({ ...PATIENT, url, hashKeys: true })
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
      const store = new RedisStore<string>({ ...PATIENT, ...options } as never)
      const bus = new RedisBus({ ...PATIENT, ...options } as never)
      await bus.ready()
      return {
        store,
        bus,
        cache: new TieredCache<string>({ ...PATIENT_TIERS, store, bus, ttl: 60_000 }),
      }
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

  test('shared by many, it has one listener for each event', async () => {
    const client = new Redis(redis.server.port)
    client.on('error', () => undefined)
    const own = client.eventNames().length
    const stores = Array.from(
      { length: 20 },
      (_, i) => new RedisStore({ ...PATIENT, client, prefix: `p${i}` }),
    )
    const lease = new RedisLease({ ...PATIENT, client })
    const bus = new RedisBus({ ...PATIENT, client })
    const tracking = new RedisTracking({ ...PATIENT, client, prefix: 'p0', mode: 'optin' })
    expect(tracking.carries(stores[0])).toBe(true)
    const ready = [...stores, bus, tracking].map(each => each.ready())
    for (const event of ['error', 'ready', 'close', 'end']) {
      // The one that the test has added, and ioredis' own.
      expect(client.listenerCount(event)).toBeLessThan(4)
    }
    await Promise.all(ready)
    expect(await stores[19]!.set('k', 'v')).toBe(true)
    for (const each of [...stores, lease, bus, tracking]) await each.close()
    expect(client.eventNames().length).toBe(own)
    expect(client.listenerCount('error')).toBe(1)
    client.disconnect()
  })

  test('who waits until it is ready is told that there will be no connection, or that all is closed', async () => {
    const client = new Redis({ port: 1, retryStrategy: () => 5 })
    client.on('error', () => undefined)
    const make = () => [
      new RedisStore({ ...PATIENT, client }),
      new RedisBus({ ...PATIENT, client }),
      new RedisTracking({ ...PATIENT, client }),
      new RedisStore({ ...PATIENT, connection: { port: 1 } }),
    ]
    const all = make()
    const waiting = all.map(each => each.ready())
    for (const each of all) await each.close()
    const closed = { code: 'ERR_MILLRACE_STORE_CLOSED' }
    for (const each of waiting) await expect(each).rejects.toMatchObject(closed)
    for (const each of all) await expect(each.ready()).rejects.toMatchObject(closed)
    expect(client.listenerCount('error')).toBe(1)

    await using store = new RedisStore({ ...PATIENT, client })
    const ready = store.ready()
    client.disconnect()
    const ended = { code: 'ERR_MILLRACE_REDIS_UNAVAILABLE', reason: 'disconnected' }
    await expect(ready).rejects.toMatchObject(ended)
    await expect(store.ready()).rejects.toMatchObject(ended)
  })

  test('a user who may do no more than README says can do everything', async () => {
    const admin = new Redis(redis.server.port)
    const groups = ['+@read', '+@write', '+@scripting', '+@pubsub', '+@connection']
    const rules = ['+info', '+time', '+client', '~millrace:cache*', '&millrace:cache*']
    await admin.call('ACL', 'SETUSER', 'modest', 'reset', 'on', '>secret', ...groups, ...rules)
    await admin.call('ACL', 'SETUSER', 'modest', '&__redis__:invalidate')
    const url = redis.server.url.replace('//', '//modest:secret@')
    const store = new RedisStore<string>({ ...PATIENT, url })
    const bus = new RedisBus({ ...PATIENT, url })
    const tracking = new RedisTracking({ ...PATIENT, url })
    const lease = new RedisLease({ ...PATIENT, url })
    await Promise.all([store, bus, tracking].map(each => each.ready()))
    expect(await store.set('k', 'v', { tags: ['t'] })).toBe(true)
    expect((await store.get('k'))?.value).toBe('v')
    expect(await collect(store.keys())).toEqual(['k'])
    await store.deleteTag('t')
    expect(await store.get('k')).toBeUndefined()
    await store.clear()
    await bus.publish([{ verb: 'delete', target: 'pattern', name: '*' }])
    const held = await lease.acquire('k')
    expect(held?.token).toBeGreaterThan(0)
    await held?.release()
    for (const each of [store, bus, tracking, lease]) await each.close()
    await admin.call('ACL', 'DELUSER', 'modest')
    admin.disconnect()
  })

  test.each([
    [undefined],
    [[undefined]],
    [[{ type: 'key', key: 'k' }]],
    [[{ verb: 'remove', target: 'key', name: 'k' }]],
    [[{ verb: 'delete', target: 'keys', name: 'k' }]],
    [[{ verb: 'delete', target: 'key', name: 1 }]],
    [[{ verb: 'delete', target: 'pattern', name: '' }]],
    [[{ verb: 'delete', target: 'pattern', name: '*'.repeat(1_025) }]],
  ])('what is no invalidation is not published, nor kept to be repeated: %j', async unfit => {
    await using store = new RedisStore({ ...PATIENT, url: redis.server.url })
    await using bus = new RedisBus({ ...PATIENT, url: redis.server.url })
    await using tracking = new RedisTracking({ ...PATIENT, url: redis.server.url })
    for (const each of [store, bus, tracking]) {
      await expect((async () => each.publish(unfit as never))()).rejects.toMatchObject({
        code: 'ERR_MILLRACE_INVALID_OPTION',
      })
    }
    expect([store.stats().recovering, bus.stats().recovering]).toEqual([0, 0])
  })

  const habits: Record<string, RedisOptions> = {
    'numbers as strings': { stringNumbers: true },
    'the replies of RESP3': { protocol: 3, replyMapping: 'resp3' },
    RESP2: { protocol: 2 },
    'automatic pipelines': { enableAutoPipelining: true },
    'no queue of its own': { enableOfflineQueue: false },
    'a late start': { lazyConnect: true },
    'another database': { db: 2 },
    'endless retries': { maxRetriesPerRequest: null },
  }
  test.each(Object.entries(habits))('a client with %s will do', async (_, options) => {
    const client = new Redis({ port: redis.server.port, ...options })
    await using store = new RedisStore<string>({ ...PATIENT, client })
    await using bus = new RedisBus({ ...PATIENT, client })
    await using lease = new RedisLease({ ...PATIENT, client })
    const log = new BusLog(bus)
    await Promise.all([store.ready(), bus.ready()])
    // A client that was not ready when messages began to arrive could not be asked what had been missed, so that the first of them is
    // one of which it is not known what it follows.
    const { gaps } = bus.stats()
    expect(await store.set('a', 'v', { tags: ['t'], ttl: 60_000, retention: 1_000 })).toBe(true)
    const { entries, fence } = await store.lookup(['a', 'b'])
    expect(entries).toMatchObject([{ value: 'v', tags: ['t'] }, undefined])
    expect(await store.set('b', 'w', { fence, tags: ['t'] })).toBe(true)
    expect((await collect(store.keys())).sort()).toEqual(['a', 'b'])
    expect([await store.expire('a'), await store.expire('none')]).toEqual([true, false])
    expect((await store.get('a'))?.expires).toBe(0)
    await store.deleteTag('t')
    expect(await store.getMany(['a', 'b'])).toEqual([undefined, undefined])
    expect(await store.set('b', 'late', { fence, tags: ['t'] })).toBe(false)
    await store.set('big', 'x'.repeat(2_000_000))
    expect((await store.get('big'))?.value.length).toBe(2_000_000)
    await store.clear()
    expect(await collect(store.keys())).toEqual([])
    await log.has('delete all ')
    expect(bus.stats().gaps).toBeLessThanOrEqual(2 * gaps)
    const [one, two] = [await lease.acquire('k'), await lease.acquire('l')]
    expect(two!.token).toBeGreaterThan(one!.token)
    expect(store.stats()).toMatchObject({ refused: 1, failures: 0, corrupt: 0, foreign: 0 })
    client.disconnect()
  })
})
