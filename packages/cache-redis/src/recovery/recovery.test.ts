import { setTimeout as sleep } from 'node:timers/promises'
import { TieredCache } from '@millrace/cache-core/tiered'
import { FaultProxy, VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RedisBus } from '../bus/redis-bus.ts'
import { RedisStore } from '../store/redis-store.ts'
import { commandsDuring } from '../testing/commands-during.fixture.ts'
import { literalStart, matchesGlob } from './glob.ts'
import { RecoveryQueue } from './recovery-queue.ts'

/** Longer than the server ever takes: time passes only where a test lets it. */
const TIMEOUT = 60_000

/** One process of several. */
class Process {
  readonly store: RedisStore<string>
  readonly bus: RedisBus
  readonly cache: TieredCache<string>

  constructor(port: number, clock: VirtualClock) {
    const connection = { port, retryStrategy: () => 5 }
    this.store = new RedisStore({ connection, timeout: TIMEOUT, clock, breaker: false })
    this.bus = new RedisBus({ connection, timeout: TIMEOUT, clock, breaker: false })
    const { store, bus } = this
    const patient = { hardTimeout: Infinity, storeTimeout: Infinity, breaker: false } as const
    this.cache = new TieredCache({ store, bus, clock, ttl: Infinity, ...patient })
  }

  async close(): Promise<void> {
    await this.bus.close()
    await this.store.close()
  }
}

describeRedis('Invalidations that did not reach Redis', redis => {
  let clock: VirtualClock
  let proxy: FaultProxy
  let a: Process
  let b: Process
  let raw: Redis
  beforeEach(async () => {
    clock = new VirtualClock()
    raw = new Redis(redis.server.port)
    await raw.flushall()
    proxy = await FaultProxy.start({ target: redis.server.port })
    a = new Process(proxy.port, clock)
    b = new Process(redis.server.port, clock)
    await Promise.all([a.bus.ready(), b.bus.ready()])
  })
  afterEach(async () => {
    await a.close()
    await b.close()
    await proxy.stop()
    raw.disconnect()
  })
  const load = (process: Process, value: string) =>
    process.cache.getOrLoad('user:1', () => value, { tags: ['org'] })

  /** Lets what is to be repeated be repeated, slowly beside the time-outs. */
  async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
    const end = Date.now() + 30_000
    while (!(await condition())) {
      if (Date.now() > end) throw new Error('Waited in vain')
      clock.advance(100)
      await sleep(2)
    }
  }

  /** Lets time pass until a call has ended that Redis does not answer. */
  async function unanswered<T>(call: Promise<T>): Promise<T> {
    let ended = false
    const end = () => {
      ended = true
    }
    call.then(end, end)
    while (!ended) await clock.advanceAsync(TIMEOUT / 10)
    return call
  }

  const faults: Record<string, () => unknown> = {
    'the connection was cut': () => {
      proxy.refuse()
      proxy.cut()
    },
    'the server was stalled': () => proxy.stall(),
    'requests were lost': () => proxy.halfOpen(),
  }
  const heal = () => {
    proxy.cut()
    return proxy.heal()
  }
  const verbs: Record<string, (cache: TieredCache<string>) => Promise<unknown>> = {
    delete: cache => cache.delete('user:1'),
    deleteTag: cache => cache.deleteTag('org'),
    deleteMatching: cache => cache.deleteMatching('u*:?'),
    clear: cache => cache.clear(),
    'a write': cache => cache.set('user:1', 'newer', { tags: ['org'] }),
  }
  describe.each(Object.entries(faults))('as %s', (_, fail) => {
    test.each(Object.entries(verbs))(
      '%s is repeated in the store and told to the others, who never see the old value again',
      async (_name, invalidate) => {
        await load(a, 'old')
        await eventually(async () => (await b.store.get('user:1')) !== undefined)
        expect(await load(b, 'never')).toBe('old')
        fail()
        await expect(unanswered(invalidate(a.cache))).rejects.toMatchObject({
          code: /ERR_MILLRACE_REDIS/,
        })
        expect(a.store.stats().recovering).toBe(1)
        // Whatever is in Redis, this process does not take it.
        expect(await unanswered(load(a, 'new'))).toBe('new')
        await heal()
        await eventually(() => a.store.stats().recovering === 0)
        expect((await b.store.get('user:1'))?.value).not.toBe('old')
        await eventually(async () => (await load(b, 'new')) === 'new')
        expect(await load(a, 'newest')).not.toBe('old')
      },
    )
  })

  test('until it is repeated, no read of the store returns what it concerns', async () => {
    const keys = ['user:1', 'user:2', 'post:1', 'post:2', 'other']
    await a.store.setMany(keys.map(key => ({ key, value: key, tags: [`of ${key}`] })))
    const { client } = a.store
    const { evalshaBuffer } = client as never as { evalshaBuffer: (...args: unknown[]) => unknown }
    const refuse = { evalshaBuffer: () => Promise.reject(new Error('no')) }
    Object.assign(client, refuse)
    await expect(a.store.delete('user:1')).rejects.toThrow()
    await expect(a.store.expireTag('of post:1')).rejects.toThrow()
    await expect(
      a.store.publish([{ verb: 'delete', target: 'pattern', name: '*:2' }]),
    ).rejects.toThrow()
    Object.assign(client, { evalshaBuffer })
    const entries = await a.store.getMany(keys)
    expect(entries.map(entry => entry && [entry.value, entry.expires === 0])).toEqual([
      undefined,
      undefined,
      ['post:1', true],
      undefined,
      ['other', false],
    ])
    await eventually(() => a.store.stats().recovering === 0)
    expect(a.store.stats().recovered).toBe(3)
    expect((await b.store.getMany(keys)).map(entry => entry?.expires)).toEqual([
      undefined,
      undefined,
      0,
      undefined,
      Infinity,
    ])
  })

  test('a newer write of the same process takes it back', async () => {
    proxy.refuse()
    proxy.cut()
    await expect(unanswered(a.store.delete('k'))).rejects.toMatchObject({
      code: /ERR_MILLRACE_REDIS/,
    })
    await proxy.heal()
    await eventually(() => a.store.set('k', 'newer').catch(() => false))
    await eventually(() => a.store.stats().recovering === 0)
    // Gone if a repetition was under way already.
    expect(['newer', undefined]).toContain((await b.store.get('k'))?.value)
    expect(a.store.stats().recovered).toBeLessThan(2)
  })

  /** A store that gives up early, by the clock that the server has too, once it knows the server. */
  const impatient = async (port: number) => {
    const connection = { port, retryStrategy: () => 5 }
    const store = new RedisStore<string>({ connection, timeout: 200, breaker: false })
    await eventually(() => store.ready().then(...yesOrNo))
    return store
  }
  const yesOrNo = [() => true, () => false] as const

  test('a write that was given up does not land later', async () => {
    await a.store.set('k', 'older')
    await using hasty = await impatient(proxy.port)
    proxy.stall('up')
    const { trips } = hasty.stats()
    await expect(hasty.set('k', 'given up')).rejects.toMatchObject({
      code: 'ERR_MILLRACE_REDIS_TIMEOUT',
      operation: 'set',
      timeout: expect.closeTo(200, 0),
    })
    // It was sent, and counts as an invalidation that is to be repeated.
    expect(hasty.stats()).toMatchObject({ trips: trips + 1, timeouts: 1, pending: 0, writes: 0 })
    expect(hasty.stats().recovering).toBe(1)
    await b.store.set('k', 'newer')
    const landed = await commandsDuring(redis.server.port, async () => {
      await proxy.heal()
      // What was held comes before this.
      await eventually(() => hasty.ready().then(...yesOrNo))
      expect(['newer', undefined]).toContain((await b.store.get('k'))?.value)
    })
    // The late write, that of `ready` and that of `get`, and what is repeated.
    expect(landed.filter(name => name === 'evalsha').length).toBeGreaterThanOrEqual(3)
    await eventually(() => hasty.stats().recovering === 0)
    expect(await b.store.get('k')).toBeUndefined()
  })

  test('nor does one that waited while writes were paused', async () => {
    await a.store.set('k', 'older')
    await using hasty = await impatient(redis.server.port)
    await raw.client('PAUSE', 60_000, 'WRITE')
    await expect(hasty.set('k', 'given up')).rejects.toMatchObject({
      code: 'ERR_MILLRACE_REDIS_TIMEOUT',
    })
    await raw.client('UNPAUSE')
    await eventually(async () => {
      const value = (await b.store.get('k'))?.value
      expect(value).not.toBe('given up')
      return value === undefined
    })
  })
})

describe('the recovery queue', () => {
  test('keeps the stronger verb once, and becomes one clear beyond its limit', () => {
    const queue = new RecoveryQueue(2)
    queue.add({ verb: 'delete', target: 'key', name: 'a' })
    queue.add({ verb: 'expire', target: 'key', name: 'a' })
    queue.add({ verb: 'expire', target: 'tag', name: 'a' })
    expect([queue.size, queue.doubt('a', []), queue.doubt('b', ['a'])]).toEqual([
      2,
      'delete',
      'expire',
    ])
    expect(queue.doubt('b', ['b'])).toBeUndefined()
    queue.add({ verb: 'expire', target: 'pattern', name: 'b*' })
    expect(queue.list()).toEqual([{ verb: 'delete', target: 'all', name: '' }])
    expect(queue.doubt('anything', [])).toBe('delete')
  })

  test('what was asked for again while it was repeated is repeated again', () => {
    for (const target of ['key', 'tag', 'pattern', 'all'] as const) {
      const queue = new RecoveryQueue(10)
      queue.add({ verb: 'delete', target, name: 'a' })
      const [repeated] = queue.list()
      queue.add({ verb: 'expire', target, name: 'a' })
      queue.done(repeated!)
      expect(queue.size).toBe(1)
      queue.done(queue.list()[0]!)
      expect(queue.size).toBe(0)
    }
  })

  test.each([
    ['*', 'anything', true],
    ['a*c', 'abbc', true],
    ['a*c', 'abb', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['a\\*c', 'a*c', true],
    ['a\\*c', 'abc', false],
    ['*a*b*', 'xxaxxbxx', true],
    ['', '', true],
    ['', 'a', false],
    ['a\\', 'a\\', true],
  ])('the pattern %s and %s', (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected)
    expect(text.startsWith(literalStart(pattern)) || !expected).toBe(true)
  })
})
