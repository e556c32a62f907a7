import { randomUUID } from 'node:crypto'
import { MovableClock, type RedisServer, VirtualClock } from '@millrace/testkit'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connections } from './connections.fixture.ts'
import {
  RedisKeyedLimiter,
  RedisSemaphore,
  RedisSlidingWindow,
  RedisTokenBucket,
} from './tracked.fixture.ts'

const HOUR = 3_600_000

describe('a server clock that is really moved', () => {
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

  test('a bucket keeps what it had when it is set back, and is empty once when it is set forward', async () => {
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
      // What is refused has been noted: only the first call sees the step.
      for (let call = 0; call < 3; call++) {
        const { allowed, retryAfter } = await decide()
        expect(allowed).toBe(false)
        expect(retryAfter).toBeLessThanOrEqual(10_000)
      }
      await move(-HOUR)
    }
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
