import { setTimeout as sleep } from 'node:timers/promises'
import { TieredCache } from '@millrace/cache-core/tiered'
import { FaultProxy } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Cluster, Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RedisStore } from '../store/redis-store.ts'
import { PATIENT, PATIENT_TIERS } from '../testing/patience.fixture.ts'
import { RedisTracking } from './redis-tracking.ts'

describeRedis('The push messages of RESP3', redis => {
  test('are dropped by ioredis without an event, so that changes have to be redirected', async () => {
    const [client, other] = [
      new Redis(redis.server.port, { protocol: 3 }),
      new Redis(redis.server.port),
    ]
    await client.call('CLIENT', 'TRACKING', 'ON')
    await client.get('k')
    const events: unknown[] = []
    const { emit } = client
    client.emit = (...event) => {
      events.push(event)
      return emit.apply(client, event)
    }
    await other.set('k', 'changed')
    // After whatever was pushed.
    expect(await client.ping()).toBe('PONG')
    expect(events).toEqual([])
    // There was something to be told.
    expect(await client.call('CLIENT', 'TRACKINGINFO')).toContainEqual(['on'])
    client.disconnect()
    other.disconnect()
  })
})

describe.each(['broadcast', 'optin'] as const)('in mode %s', mode => {
  describeRedis('RedisTracking', redis => {
    const name = 'millrace:cache:{0}:user:1'
    let raw: Redis
    let proxy: FaultProxy
    let store: RedisStore<string>
    let tracking: RedisTracking
    let cache: TieredCache<string>
    beforeEach(async () => {
      raw = new Redis(redis.server.port)
      await raw.flushall()
      proxy = await FaultProxy.start({ target: redis.server.port })
      const connection = { port: proxy.port, retryStrategy: () => 5 }
      store = new RedisStore({ ...PATIENT, connection })
      tracking = new RedisTracking({ ...PATIENT, connection, mode })
      cache = new TieredCache({ ...PATIENT_TIERS, store, bus: tracking, ttl: 600_000 })
      await tracking.ready()
    })
    afterEach(async () => {
      await tracking.close()
      await store.close()
      await proxy.stop()
      raw.disconnect()
    })

    async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
      const end = Date.now() + 60_000
      while (!(await condition())) {
        if (Date.now() > end) throw new Error(`Waited 60 s in vain for ${condition}`)
        await sleep(2)
      }
    }
    const load = (value: string) => cache.getOrLoad('user:1', () => value, { tags: ['org'] })
    const stored = () => eventually(async () => (await store.get('user:1')) !== undefined)

    const foreign: Record<string, () => Promise<unknown>> = {
      DEL: () => raw.del(name),
      'SET of something else': () => raw.set(name, 'foreign'),
      'another type': () => raw.multi().del(name).rpush(name, 'foreign').exec(),
      EXPIRE: () => raw.pexpire(name, 1),
      FLUSHALL: () => raw.flushall(),
      'DEL in a script': () => raw.eval("redis.call('DEL', KEYS[1])", 1, name),
    }
    test.each(Object.entries(foreign))('%s by others reaches the first tier', async (_, change) => {
      await load('old')
      await stored()
      await eventually(() => tracking.stats().changed >= 1)
      expect(await load('new')).toBe('old')
      await change()
      await eventually(async () => (await load('new')) === 'new')
    })

    test('what is loaded or written through a store stays', async () => {
      await load('loaded')
      await stored()
      await cache.set('other', 'written')
      await eventually(() => tracking.stats().changed >= 2)
      await store.ready()
      expect(tracking.stats().dropped).toBe(0)
      expect(await load('again')).toBe('loaded')
    })

    test('what happened while the connections were down is not trusted', async () => {
      await load('old')
      await stored()
      proxy.refuse()
      proxy.cut()
      await raw.del(name)
      await eventually(() => tracking.stats().gaps > 2)
      await proxy.heal()
      await eventually(async () => (await load('new')) === 'new')
      await eventually(() => tracking.stats().subscribed === 1)
      await eventually(async () => {
        await raw.del(name)
        await sleep(20)
        return (await load('newer')) === 'newer'
      })
    })

    test('what is removed before the reply of its read arrives is not kept', async () => {
      await load('old')
      await stored()
      // Read anew, by a process that does not hold it yet.
      await cache.expire('user:1')
      await store.set('user:1', 'older', { tags: ['org'] })
      const { get, lookup } = store
      const gate = Promise.withResolvers<void>()
      store.lookup = async (...args) => {
        const found = await lookup.apply(store, args)
        await gate.promise
        return found
      }
      const { dropped } = tracking.stats()
      const reading = load('no')
      await eventually(() => store.stats().hits > 1)
      await raw.del(name)
      await eventually(() => tracking.stats().dropped > dropped)
      gate.resolve()
      await reading
      Object.assign(store, { get, lookup })
      expect(await load('new')).toBe('new')
    })

    test('a change is noticed again and again, also after other processes have loaded the value', async () => {
      await using other = new RedisStore<string>({ ...PATIENT, url: redis.server.url })
      for (let round = 0; round < 5; round++) {
        await eventually(async () => (await load(`${round}`)) === `${round}`)
        await stored()
        const { fence } = await other.lookup(['user:1'])
        await other.set('user:1', 'loaded elsewhere', { fence, tags: ['org'] })
        await raw.del(name)
      }
      await eventually(async () => (await load('last')) === 'last')
    })

    test('the reads of every store that has it are tracked', async () => {
      await using second = new RedisStore<string>({ ...PATIENT, url: redis.server.url })
      const other = new TieredCache<string>({
        ...PATIENT_TIERS,
        store: second,
        bus: tracking,
        ttl: 600_000,
      })
      for (let round = 0; round < 3; round++) {
        await eventually(async () => {
          await raw.del(name)
          await sleep(5)
          return (await other.getOrLoad('user:1', () => `${round}`)) === `${round}`
        })
      }
      await using another = new RedisTracking({ ...PATIENT, url: redis.server.url, mode })
      const twice = () =>
        new TieredCache<string>({ ...PATIENT_TIERS, store, bus: another, ttl: 600_000 })
      if (mode === 'optin') expect(twice).toThrow('Expected `bus` to be the only one of its store')
      else expect(twice).not.toThrow()
    })

    test.each([
      ['CLIENT TRACKING', ['-client']],
      ['its channel', ['resetchannels', '&millrace:*']],
    ])('to a user who may not use %s, ready says so', async (_, rules) => {
      await raw.call('ACL', 'SETUSER', 'limited', 'on', '>secret', '~*', '&*', '+@all', ...rules)
      const url = redis.server.url.replace('//', '//limited:secret@')
      const [reader, refused] = [new RedisStore({ url }), new RedisTracking({ url, mode })]
      expect(refused.carries(reader)).toBe(true)
      await expect(refused.ready()).rejects.toMatchObject({
        code: 'ERR_MILLRACE_REDIS_UNAVAILABLE',
        reason: 'reply',
        cause: { message: expect.stringContaining('NOPERM') },
      })
      await refused.close()
      await reader.close()
      await raw.call('ACL', 'DELUSER', 'limited')
    })

    test('an unknown mode is named', () => {
      const { url } = redis.server
      expect(() => new RedisTracking({ url, mode: 'opt' as never })).toThrow('`mode`')
      expect(() => new RedisTracking({ url, mod: 'optin' } as never)).toThrow('`mod`')
    })

    test('a Cluster is refused', () => {
      const client = new Cluster([{ port: 1 }], { lazyConnect: true })
      expect(() => new RedisTracking({ client })).toThrow('`client`')
    })
  })
})
