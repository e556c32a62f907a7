import { TieredCache } from '@millrace/cache-core/tiered'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RedisBus } from '../bus/redis-bus.ts'
import { PATIENT, PATIENT_TIERS } from '../testing/patience.fixture.ts'
import { RedisStore } from './redis-store.ts'

/** One process of several. */
interface Process {
  readonly cache: TieredCache<string>
  readonly store: RedisStore<string>
  readonly bus: RedisBus
}

describeRedis('TieredCache over RedisStore and RedisBus', redis => {
  const processes: Process[] = []
  let raw: Redis
  beforeEach(async () => {
    raw = new Redis(redis.server.port)
    await raw.flushall()
  })
  afterEach(async () => {
    for (const { bus, store } of processes.splice(0)) {
      await bus.close()
      await store.close()
    }
    raw.disconnect()
  })

  async function start(): Promise<Process> {
    const { url } = redis.server
    const store = new RedisStore<string>({ ...PATIENT, url })
    // No beat of its falls between two counts of commands.
    const bus = new RedisBus({ ...PATIENT, url, heartbeat: 600_000 })
    await bus.ready()
    const started = {
      cache: new TieredCache<string>({ ...PATIENT_TIERS, store, bus, ttl: 60_000 }),
      store,
      bus,
    }
    processes.push(started)
    return started
  }

  async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
    const end = Date.now() + 60_000
    while (!(await condition())) {
      if (Date.now() > end) throw new Error(`Waited 60 s in vain for ${condition}`)
      await new Promise(setImmediate)
    }
  }

  const commands = async () =>
    Number(/total_commands_processed:(\d+)/.exec(await raw.info('stats'))![1])

  test('a hit of the first tier costs Redis nothing, tags or not', async () => {
    const { cache } = await start()
    await cache.set('key', 'value', { tags: ['a', 'b', 'c'] })
    await cache.getOrLoad('key', () => 'loaded')
    const before = await commands()
    for (let i = 0; i < 1_000; i++) {
      expect(await cache.getOrLoad('key', () => 'loaded')).toBe('value')
    }
    // The two readings themselves are one command.
    expect((await commands()) - before).toBe(1)
  })

  const several: Record<string, (first: Process) => Process> = {
    'one store and one bus': ({ store, bus }) => ({ store, bus, cache: over(store, bus) }),
    'one store': ({ store }) => {
      const bus = new RedisBus({ ...PATIENT, url: redis.server.url })
      return { store, bus, cache: over(store, bus) }
    },
    'one bus': ({ bus }) => {
      const store = new RedisStore<string>({ ...PATIENT, url: redis.server.url })
      return { store, bus, cache: over(store, bus) }
    },
  }
  const over = (store: RedisStore<string>, bus: RedisBus) =>
    new TieredCache<string>({ ...PATIENT_TIERS, store, bus, ttl: 60_000 })
  describe.each(Object.entries(several))('two caches over %s', (_, second) => {
    test.each(['delete', 'deleteTag', 'deleteMatching', 'clear', 'set'])(
      'hear of each other’s %s',
      async name => {
        const a = await start()
        const b = second(a)
        processes.push(b)
        await b.bus.ready()
        const invalidate: Record<string, (cache: TieredCache<string>) => Promise<unknown>> = {
          ...invalidations,
          set: cache => cache.set('user:1', 'new', { tags: ['org'] }),
        }
        for (const [one, other] of [
          [a, b],
          [b, a],
        ] as const) {
          const load = () => other.cache.getOrLoad('user:1', () => 'new', { tags: ['org'] })
          await one.cache.set('user:1', 'old', { tags: ['org'] })
          await eventually(async () => (await load()) === 'old')
          await invalidate[name]!(one.cache)
          await eventually(async () => (await load()) === 'new')
        }
      },
    )
  })

  test('what one process loads another finds in Redis', async () => {
    const [a, b] = [await start(), await start()]
    expect(await a.cache.getOrLoad('key', () => 'from a')).toBe('from a')
    await eventually(() => a.store.stats().writes === 1)
    expect(await b.cache.getOrLoad('key', () => 'from b')).toBe('from a')
  })

  const invalidations: Record<string, (cache: TieredCache<string>) => Promise<unknown>> = {
    delete: cache => cache.delete('user:1'),
    deleteTag: cache => cache.deleteTag('org'),
    deleteMatching: cache => cache.deleteMatching('user:*'),
    clear: cache => cache.clear(),
  }
  for (const [name, invalidate] of Object.entries(invalidations)) {
    test(`${name} in one process reaches the first tier of another`, async () => {
      const [a, b] = [await start(), await start()]
      for (const { cache } of [a, b]) {
        await cache.getOrLoad('user:1', () => 'old', { tags: ['org'] })
      }
      await invalidate(a.cache)
      await eventually(() => b.bus.stats().received > 0)
      expect(await b.cache.getOrLoad('user:1', () => 'new', { tags: ['org'] })).toBe('new')
      expect(await a.cache.getOrLoad('user:1', () => 'newer', { tags: ['org'] })).not.toBe('old')
    })

    test(`${name} in one process during a load of another leaves nothing of it`, async () => {
      const [a, b] = [await start(), await start()]
      await a.cache.set('user:1', 'older', { tags: ['org'] })
      await a.cache.delete('user:1')
      const gate = Promise.withResolvers<void>()
      let loading = false
      const slow = b.cache.getOrLoad(
        'user:1',
        async () => {
          loading = true
          await gate.promise
          return 'old'
        },
        { tags: ['org'] },
      )
      await eventually(() => loading)
      const { received } = b.bus.stats()
      // A pattern deletes what is there, so there must be something.
      await a.cache.set('user:1', 'older', { tags: ['org'] })
      await invalidate(a.cache)
      await eventually(() => b.bus.stats().received > received)
      gate.resolve()
      await slow
      for (const { cache } of [a, b]) {
        expect(await cache.getOrLoad('user:1', () => 'new', { tags: ['org'] })).toBe('new')
      }
    })
  }

  test('what a process did that died at once reaches the others, as its scripts say it themselves', async () => {
    const b = await start()
    await b.cache.getOrLoad('user:1', () => 'old', { tags: ['org'] })
    await eventually(() => b.store.stats().writes === 1)
    const { url } = redis.server
    // Without a bus, and gone before the reply.
    await using dying = new RedisStore<string>({ ...PATIENT, url })
    await dying.ready()
    for (const invalidate of [
      () => dying.delete('user:1'),
      () => dying.deleteTag('org'),
      () => dying.expire('user:1'),
      () => dying.clear(),
      () => dying.set('user:1', 'written'),
    ]) {
      const { received } = b.bus.stats()
      const died = invalidate().catch(() => undefined)
      await eventually(() => b.bus.stats().received > received)
      await died
      expect(await b.cache.getOrLoad('user:1', () => 'new', { tags: ['org'] })).not.toBe('old')
    }
  })

  test('the sender’s own first tier keeps what it has just written', async () => {
    const [a, b] = [await start(), await start()]
    await a.cache.set('key', 'value')
    await eventually(() => b.bus.stats().received === 1)
    // Its connection asks a few things once.
    await b.store.ready()
    const before = await commands()
    expect(await a.cache.getOrLoad('key', () => 'loaded')).toBe('value')
    expect((await commands()) - before).toBe(1)
    expect(a.bus.stats()).toMatchObject({ received: 0, sent: 0 })
  })
})
