import { randomUUID } from 'node:crypto'
import { MovableClock, RedisServer, startCluster, VirtualClock } from '@millrace/testkit'
import { inRealTime } from '@millrace/testkit/vitest'
import { Cluster, type Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connections } from './connections.fixture.ts'
import {
  RedisKeyedLimiter,
  RedisKeyedSemaphore,
  RedisKeyedWindow,
  RedisSemaphore,
  RedisSlidingWindow,
  RedisTokenBucket,
} from './tracked.fixture.ts'

const HOUR = 3_600_000

describe('a server clock that is really moved', inRealTime(), () => {
  const connect = connections()
  let clock: MovableClock
  let server: RedisServer
  let client: Redis

  beforeAll(async () => {
    clock = await MovableClock.create()
    server = await clock.start()
  })
  afterAll(async () => {
    await server?.stop()
    await clock?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    client = await connect(server.port)
  })

  /** Moves the server's clock by `ms` more. */
  async function move(ms: number): Promise<void> {
    await clock.move(ms)
    const [seconds] = await client.time()
    expect(Math.abs(Number(seconds) * 1_000 - Date.now() - clock.shift)).toBeLessThan(60_000)
  }

  const shared = () => ({ client, id: randomUUID(), timeout: 5_000, whenDown: 'closed' }) as const

  test('a bucket keeps what it had when it is set back, and lacks what would come in the step when it is set forward', async () => {
    const limits = { rate: 0.1, burst: 3, maxWait: 10_000 }
    const bucket = new RedisTokenBucket({ ...shared(), ...limits })
    const keyed = new RedisKeyedLimiter({ ...shared(), ...limits })
    for (const decide of [() => bucket.decide(), () => keyed.decide('a')]) {
      expect((await decide()).allowed).toBe(true)
      await move(-HOUR)
      const outcomes = [await decide(), await decide(), await decide()]
      expect(outcomes.map(({ allowed }) => allowed)).toEqual([true, true, false])
      expect(outcomes[2]!.retryAfter).toBeLessThanOrEqual(10_000)
      // By the step alone its key expires.
      await move(2 * HOUR)
      for (let call = 0; call < 3; call++) {
        const { allowed, retryAfter } = await decide()
        expect(allowed).toBe(false)
        expect(retryAfter).toBeLessThanOrEqual(10_000)
      }
      await move(-HOUR)
    }
  })

  /** What was there when the clock was moved, and what has come since, at a tenth a second. */
  function expectRemaining(remaining: number, then: number, moved: number): void {
    const since = (performance.now() - moved) / 10_000
    expect(remaining - then).toBeGreaterThan(-0.05)
    expect(remaining - then).toBeLessThan(0.05 + since)
  }

  const allowed = (decisions: readonly { allowed: boolean }[]) =>
    decisions.filter(decision => decision.allowed).length

  test.each([5_000, 30_000, HOUR])(
    'set forward by %d ms, no key of any process has more than it would have had',
    async ms => {
      const id = randomUUID()
      const make = () =>
        new RedisKeyedLimiter({ ...shared(), id, rate: 0.1, burst: 3, whenDown: 'local' })
      const [one, other] = [make(), make()]
      const keys = ['a', 'b', 'c', 'd']
      const each = async (limiter: RedisKeyedLimiter, cost = 1) =>
        allowed(await Promise.all(keys.map(key => limiter.decide(key, cost))))
      expect(await each(one, 3)).toBe(4)
      expect(await each(other)).toBe(0)
      expect(await one.tryAcquire('e', 2)).toBe(true)
      const moved = performance.now()
      await move(ms)
      // Both notice it by the first of these calls, and remember it for the others, as do their answers to heartbeats.
      expect(await each(one)).toBe(0)
      expect(await each(other)).toBe(0)
      // A process that has begun since is told by them.
      const young = make()
      expect(await each(young)).toBe(0)
      expect(await young.tryAcquire('e', 2)).toBe(false)
      // What nobody has used lacks no more than would come in the step, and for as long as that takes to come.
      expectRemaining((await one.get('new')).remaining, Math.max(0, 3 - ms / 10_000), moved)
      await one.reset('a')
      expect(await young.tryAcquire('a', 3)).toBe(true)
      await move(-ms)
      expect(await each(young)).toBe(0)
    },
  )

  test('of two steps forward both are remembered, and of steps forth and back none is', async () => {
    const limiter = new RedisKeyedLimiter({ ...shared(), rate: 0.1, burst: 6 })
    for (const key of ['a', 'b', 'c', 'd']) expect(await limiter.tryAcquire(key, 6)).toBe(true)
    const moved = performance.now()
    await move(20_000)
    expect(await limiter.tryAcquire('a')).toBe(false)
    await move(20_000)
    expect(await limiter.tryAcquire('b')).toBe(false)
    expect(await limiter.tryAcquire('c')).toBe(false)
    expectRemaining((await limiter.get('new')).remaining, 2, moved)
    await move(-40_000)
    expect(await limiter.tryAcquire('d')).toBe(false)
    expect((await limiter.get('d')).retryAfter).toBeLessThanOrEqual(10_000)
  })

  test('set forward, windows by key keep what each process has had, and are closed for two seconds', async () => {
    const id = randomUUID()
    const limits = { limit: 2, window: 60_000, whenDown: 'local' } as const
    const make = (clock: VirtualClock) =>
      new RedisKeyedWindow({ ...shared(), id, ...limits, clock })
    const clocks = [new VirtualClock(), new VirtualClock()]
    const [one, other] = clocks.map(make) as [RedisKeyedWindow, RedisKeyedWindow]
    expect(await one.tryAcquire('mine', 2)).toBe(true)
    expect(await other.tryAcquire('other', 2)).toBe(true)
    await move(HOUR)
    expect(await other.tryAcquire('mine')).toBe(false)
    expect((await other.decide('new')).retryAfter).toBeLessThanOrEqual(2_000)
    // A heartbeat of the first, which is not called.
    const { trips } = one.stats()
    clocks[0]!.advance(100)
    while (one.stats().trips < trips + 2) await client.ping()
    await client.ping()
    for (const clock of clocks) clock.advance(2_500)
    await move(2_500)
    expect(await other.tryAcquire('mine')).toBe(false)
    expect(await other.tryAcquire('other')).toBe(false)
    expect(await other.tryAcquire('new', 2)).toBe(true)
    await move(-HOUR)
  })

  test('in a Cluster each node has a clock, whether they agree or not', async () => {
    await using own = await MovableClock.create()
    await own.move(90_000)
    await using cluster = await startCluster({
      start: (index, options) => (index === 0 ? own.start(options) : RedisServer.start(options)),
    })
    const client = new Cluster(cluster.startupNodes)
    await client.ping()
    const id = randomUUID()
    const make = () =>
      new RedisKeyedLimiter({ client, id, rate: 0.1, burst: 3, timeout: 5_000, whenDown: 'closed' })
    const limiter = make()
    const keys = Array.from({ length: 24 }, (_, key) => `user ${key}`)
    for (const key of keys) expect(await limiter.tryAcquire(key, 3)).toBe(true)
    for (const key of keys) {
      const { retryAfter } = await limiter.decide(key)
      expect(retryAfter).toBeGreaterThan(0)
      expect(retryAfter).toBeLessThanOrEqual(10_000)
    }
    await own.move(HOUR)
    for (const key of keys) expect(await limiter.tryAcquire(key)).toBe(false)
    const young = make()
    for (const key of keys) expect(await young.tryAcquire(key)).toBe(false)
    const fresh = await Promise.all(keys.map(key => limiter.get(`new ${key}`)))
    const { length } = fresh.filter(({ remaining }) => remaining > 2.9)
    // Those of the other two nodes.
    expect(length).toBeGreaterThan(6)
    expect(length).toBeLessThan(keys.length)
    client.disconnect()
  })

  test('set forward, what holds a semaphore keeps it', async () => {
    const id = randomUUID()
    const make = (clock: VirtualClock) =>
      new RedisKeyedSemaphore({ ...shared(), id, permits: 1, ttl: 30_000, clock })
    const clocks = [new VirtualClock(), new VirtualClock(), new VirtualClock()]
    const [one, other, young] = clocks.map(make) as RedisKeyedSemaphore[]
    const permit = await one!.acquire('a')
    await (await other!.acquire('b')).release()
    await move(HOUR)
    expect(await other!.tryAcquire('a')).toBeUndefined()
    // It knows of the step by the other's word.
    expect(await young!.tryAcquire('a')).toBeUndefined()
    clocks[0]!.advance(10_000)
    await client.ping()
    await client.ping()
    for (const clock of clocks.slice(1)) clock.advance(16_000)
    await move(16_000)
    expect(await young!.tryAcquire('a')).toBeUndefined()
    expect(await other!.tryAcquire('a')).toBeUndefined()
    // A key that nobody holds is free as soon as whoever may have held it has told of it.
    expect(await other!.tryAcquire('new')).toBeDefined()
    expect(permit.signal.aborted).toBe(false)
    await permit.release()
    await move(-HOUR)
  })

  test('leases made before it was set back are served, and later ones soon', async () => {
    const bucket = new RedisTokenBucket({
      ...shared(),
      rate: 1_000,
      burst: 50,
      leaseTtl: 100,
      maxWait: 1_000,
    })
    await Promise.all(Array.from({ length: 100 }, () => bucket.acquire()))
    await move(-HOUR)
    const waits = await Promise.all(Array.from({ length: 100 }, () => bucket.acquire()))
    expect(Math.max(...waits.map(({ waited }) => waited))).toBeLessThan(10_000)
    expect(bucket.stats()).toMatchObject({ granted: 200, refused: 0 })
    await bucket[Symbol.asyncDispose]()
    await move(HOUR)
  })

  test('set back or forward, a window is as full as it was for one window more', async () => {
    const own = new VirtualClock()
    const window = new RedisSlidingWindow({ ...shared(), limit: 2, window: 60_000, clock: own })
    await window.acquire(2)
    await move(-HOUR)
    const { allowed, retryAfter, remaining } = await window.decide()
    expect({ allowed, remaining }).toEqual({ allowed: false, remaining: 0 })
    expect(retryAfter).toBeLessThanOrEqual(60_000)
    own.advance(60_000)
    await move(60_000)
    expect(await window.tryAcquire(2)).toBe(true)
    expect(await window.tryAcquire()).toBe(false)
    // Redis has forgotten it, its process has not.
    await move(HOUR - 60_000)
    expect(await window.tryAcquire()).toBe(false)
    own.advance(60_000)
    await move(60_000)
    expect(await window.tryAcquire(2)).toBe(true)
    await move(-60_000)
  })

  test('set back, the permit of a holder that died is free after one lease; one that is renewed is kept', async () => {
    const options = { ...shared(), permits: 1, ttl: 30_000, poll: 5 }
    const clock = new VirtualClock()
    // On a clock that stands still nothing is renewed, as in a process that died.
    const dead = await new RedisSemaphore({ ...options, clock }).acquire()
    await move(-HOUR)
    const own = new VirtualClock()
    const semaphore = new RedisSemaphore({ ...options, clock: own })
    expect(await semaphore.tryAcquire()).toBeUndefined()
    own.advance(30_000)
    await move(30_000)
    const next = (await semaphore.tryAcquire())!
    expect(next.fence).toBeGreaterThan(dead.fence)
    const held = new Promise(resolve => dead.signal.addEventListener('abort', resolve))
    clock.advance(10_000)
    await held
    await next.release()

    const living = new VirtualClock()
    const keeper = new RedisSemaphore({ ...options, clock: living })
    const permit = await keeper.acquire()
    await move(-HOUR)
    for (let beat = 0; beat < 4; beat++) {
      const { trips } = keeper.stats()
      living.advance(10_000)
      own.advance(10_000)
      while (keeper.stats().trips === trips) await client.ping()
      // Answered after the renewal, which the next one follows.
      expect(await keeper.tryAcquire()).toBeUndefined()
      await move(10_000)
    }
    expect(permit.signal.aborted).toBe(false)
    expect(await semaphore.tryAcquire()).toBeUndefined()
    await permit.release()
    await move(2 * HOUR - 70_000)
  })

  test('processes are counted aright all the time', async () => {
    const clocks = [new VirtualClock(), new VirtualClock()]
    const options = { ...shared(), rate: 1, burst: 100, whenDown: 'local' } as const
    const buckets = clocks.map(clock => new RedisTokenBucket({ ...options, clock }))
    const count = async () => {
      for (const [index, bucket] of buckets.entries()) {
        const { trips } = bucket.stats()
        // It has itself counted, the first time by its call.
        clocks[index]!.advance(1_000)
        await bucket.decide(0)
        while (bucket.stats().trips < trips + 2) await client.ping()
        // The count has come before the first answer, and is noted before the second.
        await client.ping()
        await client.ping()
      }
      return buckets.map(bucket => bucket.stats().processes)
    }
    expect(await count()).toEqual([1, 2])
    await move(-HOUR)
    // The first forgets what was said in the future; the second says it again.
    expect(await count()).toEqual([1, 2])
    expect(await count()).toEqual([2, 2])
    await move(HOUR)
  })
})
