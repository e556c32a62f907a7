import { setTimeout as sleep } from 'node:timers/promises'
import { TieredCache } from '@millrace/cache-core/tiered'
import { FaultProxy } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RedisBus } from '../bus/redis-bus.ts'
import { RedisStore } from '../store/redis-store.ts'
import { literalStart, matchesGlob } from './glob.ts'
import { RecoveryQueue } from './recovery-queue.ts'

/** One process of several. */
class Process {
  readonly store: RedisStore<string>
  readonly bus: RedisBus
  readonly cache: TieredCache<string>

  constructor(port: number) {
    const connection = { port, retryStrategy: () => 5 }
    this.store = new RedisStore({ connection, timeout: 300, breaker: { cooldown: 50 } })
    this.bus = new RedisBus({ connection, timeout: 300, heartbeat: 200 })
    this.cache = new TieredCache({ store: this.store, bus: this.bus, ttl: 600_000 })
  }

  async close(): Promise<void> {
    await this.cache[Symbol.asyncDispose]()
    await this.bus.close()
    await this.store.close()
  }
}

async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('Waited in vain')
    await sleep(5)
  }
}

describeRedis('Invalidations that did not reach Redis', redis => {
  let proxy: FaultProxy
  let a: Process
  let b: Process
  let raw: Redis
  beforeEach(async () => {
    raw = new Redis(redis.server.port)
    await raw.flushall()
    proxy = await FaultProxy.start({ target: redis.server.port })
    a = new Process(proxy.port)
    b = new Process(redis.server.port)
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

  const heal = () => {
    proxy.cut()
    return proxy.heal()
  }
  const faults: Record<string, () => unknown> = {
    'the connection was cut': () => {
      proxy.refuse()
      proxy.cut()
    },
    'the server was stalled': () => proxy.stall(),
    'requests were lost': () => proxy.halfOpen(),
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
        await expect(invalidate(a.cache)).rejects.toMatchObject({ code: /ERR_MILLRACE_REDIS/ })
        expect(a.store.stats().recovering).toBe(1)
        // Whatever is in Redis, this process does not take it.
        expect(await load(a, 'new')).toBe('new')
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
    await expect(a.store.delete('k')).rejects.toMatchObject({ code: /ERR_MILLRACE_REDIS/ })
    await proxy.heal()
    await eventually(() => a.store.set('k', 'newer').catch(() => false))
    await eventually(() => a.store.stats().recovering === 0)
    // Gone if a repetition was under way already.
    expect(['newer', undefined]).toContain((await b.store.get('k'))?.value)
    expect(a.store.stats().recovered).toBeLessThan(2)
  })

  test('a write that was given up does not land later', async () => {
    await a.store.set('k', 'older')
    proxy.stall('up')
    await expect(a.store.set('k', 'given up')).rejects.toMatchObject({
      code: 'ERR_MILLRACE_REDIS_TIMEOUT',
    })
    await b.store.set('k', 'newer')
    await proxy.heal()
    // What was held comes before this.
    await eventually(() =>
      a.store.ready().then(
        () => true,
        () => false,
      ),
    )
    expect(['newer', undefined]).toContain((await b.store.get('k'))?.value)
  })

  test('nor does one that waited while clients were paused', async () => {
    await a.store.set('k', 'older')
    await raw.client('PAUSE', 700, 'ALL')
    await expect(a.store.set('k', 'given up')).rejects.toMatchObject({
      code: 'ERR_MILLRACE_REDIS_TIMEOUT',
    })
    await raw.ping()
    await eventually(async () => {
      const value = (await b.store.get('k').catch(() => ({ value: 'paused' })))?.value
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
