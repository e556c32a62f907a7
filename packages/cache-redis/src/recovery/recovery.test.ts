import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { TieredCache } from '@millrace/cache-core/tiered'
import { FaultProxy, runs, seededRandom, VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RedisBus } from '../bus/redis-bus.ts'
import { RedisUnavailableError } from '../errors.ts'
import { RedisStore } from '../store/redis-store.ts'
import { commandsDuring } from '../testing/commands-during.fixture.ts'
import { Recovery } from './recovery.ts'

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
    const patient = { hardTimeout: Infinity, storeTimeout: 3_600_000, breaker: false } as const
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
    const end = Date.now() + 60_000
    while (!(await condition())) {
      if (Date.now() > end) throw new Error(`Waited 60 s in vain for ${condition}`)
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
  /** Has the client of a process fail at scripts: at once, or, `later`, when told to. */
  const refuse = (process: Process, { later = false } = {}) => {
    const { client } = process.store
    const { evalshaBuffer } = client as never as { evalshaBuffer: (...args: unknown[]) => unknown }
    const told = Promise.withResolvers<void>()
    const failing = async () => {
      if (later) await told.promise
      throw new Error('no')
    }
    Object.assign(client, { evalshaBuffer: failing })
    return { fail: told.resolve, end: () => Object.assign(client, { evalshaBuffer }) }
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
    const refused = refuse(a)
    await expect(a.store.delete('user:1')).rejects.toThrow()
    await expect(a.store.expireTag('of post:1')).rejects.toThrow()
    await expect(
      a.store.publish([{ verb: 'delete', target: 'pattern', name: '*:2' }]),
    ).rejects.toThrow()
    refused.end()
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
    expect((await b.store.get('k'))?.value).toBe('newer')
  })

  test('a write that is under way when what failed becomes due is not removed by it', async () => {
    await a.store.ready()
    const refused = refuse(a)
    await expect(a.store.delete('k')).rejects.toMatchObject({ cause: { message: 'no' } })
    refused.end()
    proxy.stall('down')
    const newer = a.store.set('k', 'newer')
    await eventually(async () => (await b.store.get('k'))?.value === 'newer')
    for (let i = 0; i < 20; i++) await clock.advanceAsync(1_000)
    expect(a.store.stats()).toMatchObject({ recovering: 1, recovered: 0 })
    await proxy.heal()
    expect(await newer).toBe(true)
    expect(a.store.stats()).toMatchObject({ recovering: 0, recovered: 0 })
    expect((await a.store.get('k'))?.value).toBe('newer')
  })

  test('an older call that fails after a newer write has succeeded does not remove it', async () => {
    await a.store.ready()
    const refused = refuse(a, { later: true })
    const older = a.store.delete('k')
    await turn()
    refused.end()
    expect(await a.store.set('k', 'newer')).toBe(true)
    refused.fail()
    await expect(older).rejects.toMatchObject({ cause: { message: 'no' } })
    expect(a.store.stats().recovering).toBe(0)
    expect((await a.store.get('k'))?.value).toBe('newer')
  })

  test('a delete that failed is not made good by an expire that came after it', async () => {
    await a.store.set('k', 'old', { tags: ['t'] })
    const refused = refuse(a)
    await expect(a.store.delete('k')).rejects.toMatchObject({ cause: { message: 'no' } })
    await expect(a.store.deleteTag('t')).rejects.toMatchObject({ cause: { message: 'no' } })
    refused.end()
    await a.store.expire('k')
    await a.store.expireTag('t')
    expect(a.store.stats().recovering).toBe(2)
    expect(await a.store.get('k')).toBeUndefined()
    await eventually(() => a.store.stats().recovering === 0)
    expect(await b.store.get('k')).toBeUndefined()
  })

  test('a write whose connection broke is removed once it cannot land any more, even behind a newer one', async () => {
    await a.store.set('k', 'old')
    proxy.stall('up')
    const { trips } = a.store.stats()
    const lost = a.store.set('k', 'lost')
    await eventually(() => a.store.stats().trips > trips)
    proxy.refuse()
    proxy.cut()
    await expect(lost).rejects.toMatchObject({ reason: 'connection' })
    await proxy.heal()
    await eventually(() => a.store.set('k', 'newer').catch(() => false))
    // As if the network had kept it.
    await b.store.set('k', 'lost')
    expect(await a.store.get('k')).toBeUndefined()
    await eventually(() => a.store.stats().recovering === 0)
    expect(await b.store.get('k')).toBeUndefined()
    expect(await a.store.set('k', 'newest')).toBe(true)
    expect((await a.store.get('k'))?.value).toBe('newest')
  })

  test('a shard without a server does not hold up what concerns others', async () => {
    const repeated: string[] = []
    const recovery = new Recovery(10, a.store.client, clock, {
      repeat: async ({ name }) => {
        repeated.push(name)
        if (name.startsWith('dead')) throw new Error('no')
      },
      laneOf: ({ name }) => (name.startsWith('dead') ? 0 : 1),
    })
    const keys = ['dead 1', 'dead 2', 'live 1', 'live 2']
    const failure = new RedisUnavailableError('delete', 'connection')
    recovery.failed(
      failure,
      keys.map(name => ({ verb: 'delete', target: 'key', name })),
    )
    await clock.advanceAsync(100)
    // One of a lane shows that the others would fail, too.
    expect(repeated).toEqual(['dead 1', 'live 1', 'live 2'])
    expect(recovery.queue.list().map(({ name }) => name)).toEqual(['dead 1', 'dead 2'])
    await clock.advanceAsync(200)
    expect(repeated.slice(3)).toEqual(['dead 1'])
    recovery.close()
  })

  test('what was never sent, as no connection came about, cannot land', async () => {
    proxy.refuse()
    proxy.cut()
    // The end of the connection is noticed by this one, if not before.
    await expect(a.store.get('k')).rejects.toThrow()
    for (let call = 0; call < 5; call++) {
      await expect(a.store.set('k', 'unsent')).rejects.toMatchObject({
        reason: 'disconnected',
      })
      await turn()
    }
    await proxy.heal()
    await eventually(() => a.store.set('k', 'newer').catch(() => false))
    expect(a.store.stats().recovering).toBe(0)
  })

  test('of random calls over a failing connection, the newest that succeeded is what stays', async () => {
    const random = seededRandom(2_026)
    const pick = (count: number) => Math.floor(random() * count)
    for (let round = 0; round < runs(20); round++) {
      const key = `k${round}`
      const calls: { value: string | undefined; outcome: Promise<unknown> }[] = []
      for (let step = 0; step < 8; step++) {
        const dice = pick(10)
        const value = dice < 5 ? `${round}.${step}` : undefined
        if (dice < 7) {
          const { store } = a
          const call = value === undefined ? store.delete(key) : store.set(key, value)
          const outcome = call.then(
            () => undefined,
            (error: unknown) => error,
          )
          calls.push({ value, outcome })
          if (pick(2) === 0) await unanswered(outcome)
        } else if (dice === 7) {
          proxy.refuse()
          proxy.cut()
        } else if (dice === 8) proxy.stall(pick(2) === 0 ? 'up' : 'down')
        else await heal()
        if (pick(2) === 0) await turn()
      }
      await heal()
      const outcomes = await unanswered(Promise.all(calls.map(({ outcome }) => outcome)))
      await eventually(() => a.store.stats().recovering === 0)
      await eventually(() => a.store.ready().then(...yesOrNo))
      const last = calls.at(-1)
      const final = (await b.store.get(key))?.value
      const failures = outcomes.filter(each => each !== undefined)
      const landed = failures.some(each => (each as { reason?: string }).reason === 'connection')
      const expected = outcomes.at(-1) === undefined ? last?.value : undefined
      // What may have been sent and landed late is removed for safety, and what came after it with it.
      if (!landed || expected === undefined) expect([round, final]).toEqual([round, expected])
      else expect([expected, undefined]).toContain(final)
    }
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
    const { trips, timeouts } = hasty.stats()
    await expect(hasty.set('k', 'given up')).rejects.toMatchObject({
      code: 'ERR_MILLRACE_REDIS_TIMEOUT',
      operation: 'set',
      timeout: expect.closeTo(200, 0),
    })
    // It was sent, and counts as an invalidation that is to be repeated.
    expect(hasty.stats()).toMatchObject({
      trips: trips + 1,
      timeouts: timeouts + 1,
      pending: 0,
      writes: 0,
      recovering: 1,
    })
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
    try {
      await expect(hasty.set('k', 'given up')).rejects.toMatchObject({
        code: 'ERR_MILLRACE_REDIS_TIMEOUT',
      })
    } finally {
      await raw.client('UNPAUSE')
    }
    await eventually(async () => {
      const value = (await b.store.get('k'))?.value
      expect(value).not.toBe('given up')
      return value === undefined
    })
  })
})
