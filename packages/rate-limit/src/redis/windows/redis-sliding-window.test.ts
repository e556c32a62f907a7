import { randomUUID } from 'node:crypto'
import { VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import type { Redis } from 'ioredis'
import { beforeEach, expect, test } from 'vitest'
import { LimitStoreUnavailableError } from '../../errors.ts'
import { connections, goneClient } from '../testing/connections.fixture.ts'
import { RedisSlidingWindow } from '../testing/tracked.fixture.ts'
import type { RedisSlidingWindowOptions } from './redis-sliding-window.ts'

/** Long against any test: time passes only where a test says so. */
const WINDOW = 3_600_000

describeRedis('RedisSlidingWindow', redis => {
  const connect = connections()
  let client: Redis
  beforeEach(async () => {
    client = await connect(redis.server.port)
  })

  function pair(options: Partial<RedisSlidingWindowOptions> = {}) {
    const id = randomUUID()
    const make = () =>
      new RedisSlidingWindow({ client, id, limit: 3, window: WINDOW, timeout: 5_000, ...options })
    return { key: `millrace:limit:{${id}}:window`, a: make(), b: make() }
  }

  /** Makes all permits older, as time would. */
  async function age(key: string, ms: number): Promise<void> {
    for (const member of await client.zrange(key, '0', '-1')) {
      await client.zincrby(key, -ms * 1_000, member as string)
    }
  }

  test('processes share one exact window', async () => {
    const { a, b } = pair()
    const calls = [a, b, a, b, a].map(limiter => limiter.tryAcquire())
    expect((await Promise.all(calls)).filter(Boolean)).toHaveLength(3)
    const decision = await a.decide()
    expect(decision).toMatchObject({ allowed: false, limit: 3, remaining: 0 })
    expect(decision.retryAfter).toBeGreaterThan(WINDOW / 2)
    expect(decision.resetAfter).toBeGreaterThanOrEqual(decision.retryAfter)
  })

  test('what leaves the window makes room for as much, and no more', async () => {
    const { key, a, b } = pair()
    await a.acquire()
    await age(key, WINDOW / 2)
    await b.acquire(2)
    const { retryAfter } = await a.decide(2)
    // The second to leave is one of those that came together, half a window later.
    expect(retryAfter).toBeGreaterThan(WINDOW / 2)
    await age(key, WINDOW / 2)
    expect(await a.tryAcquire(2)).toBe(false)
    expect(await a.tryAcquire()).toBe(true)
    expect(await a.tryAcquire()).toBe(false)
  })

  test('who waits is served in order when the window has room', async () => {
    const clock = new VirtualClock()
    const { key, a } = pair({ clock, whenDown: 'closed' })
    await a.acquire(3)
    const served: number[] = []
    for (const [caller, cost] of [2, 1, 1].entries()) {
      void a.acquire(cost).then(() => served.push(caller))
    }
    const asked = async (trips: number) => {
      while (a.stats().trips < trips) await client.ping()
      await client.ping()
      // All that follows from the answer, however many promises it takes.
      await new Promise(resolve => setImmediate(resolve))
    }
    await asked(2)
    expect(served).toEqual([])
    await age(key, WINDOW)
    clock.advance(WINDOW)
    // The third does not fit any more.
    await asked(5)
    expect(served).toEqual([0, 1])
    await age(key, WINDOW)
    clock.advance(WINDOW)
    while (served.length < 3) await client.ping()
    expect(served).toEqual([0, 1, 2])
    expect(a.stats()).toMatchObject({ granted: 7, waiting: 0 })
  })

  test('a server clock that was set back does not stop the window for as long', async () => {
    const { key, a } = pair({ window: 60_000 })
    // What a server leaves behind whose clock was an hour ahead.
    const ahead = Date.now() * 1_000 - 1_700_000_000 * 1e6 + 3_600e6
    await client.zadd(key, ahead, 'x', ahead + 1, 'y', ahead + 2, 'z')
    const { allowed, retryAfter } = await a.decide()
    expect(allowed).toBe(false)
    expect(retryAfter).toBeLessThanOrEqual(60_000)
    await age(key, 60_000)
    expect(await a.tryAcquire()).toBe(true)
  })

  test('a local share counts exactly, and costs beyond it have to wait for Redis', async () => {
    const clock = new VirtualClock()
    const window = new RedisSlidingWindow({
      ...{ client: goneClient(), id: 'a', limit: 10, window: 1_000, processes: 3, clock },
    })
    expect(await window.tryAcquire(2)).toBe(true)
    clock.advance(400)
    expect(await window.decide()).toMatchObject({ allowed: true, remaining: 0, resetAfter: 1_000 })
    expect(await window.decide()).toMatchObject({ allowed: false, retryAfter: 600 })
    await expect(window.tryAcquire(4)).rejects.toThrow(LimitStoreUnavailableError)
    clock.advance(600)
    expect(await window.decide(2)).toMatchObject({ allowed: true, remaining: 0 })
    expect(window.stats()).toMatchObject({ granted: 5, unsettled: 5, down: 1 })
  })

  test('what passed without Redis is entered with its age', async () => {
    const clock = new VirtualClock()
    const late = await connect(redis.server.port)
    const { key, a, b } = pair({ client: late, clock, breaker: { cooldown: 500 }, processes: 1 })
    late.disconnect()
    while (late.status !== 'end') await client.ping()
    await a.acquire(2)
    clock.advance(WINDOW / 2)
    await a.acquire(1)
    await late.connect()
    clock.advance(500)
    while (a.stats().unsettled > 0) await client.ping()
    const permits = await client.zrange(key, '0', '-1', 'WITHSCORES')
    const scores = permits.flat().filter((_, index) => index % 2 === 1)
    const [first, second, third] = scores.map(Number)
    expect(second! - first!).toBe(0)
    expect(third! - first!).toBeCloseTo((WINDOW / 2) * 1_000, -1)
    expect(await b.tryAcquire()).toBe(false)
  })

  test('abort, disposal, outage and bad options', async () => {
    const { a } = pair()
    await a.acquire(3)
    const controller = new AbortController()
    const aborted = expect(a.acquire({ signal: controller.signal })).rejects.toBe('enough')
    controller.abort('enough')
    await aborted
    const closed = expect(a.acquire()).rejects.toThrow('is closed')
    void a.close()
    await closed
    await expect(a.acquire(4)).rejects.toThrow(
      'Expected `cost` to be a number from 0 to the limit of 3, got a positive integer of 1 digit',
    )
    const options = { client: goneClient(), id: 'x', limit: 1, window: 1 }
    const lonely = new RedisSlidingWindow({ ...options, whenDown: 'closed' })
    await expect(lonely.acquire()).rejects.toThrow(LimitStoreUnavailableError)
    expect(() => new RedisSlidingWindow({ ...options, window: -1 })).toThrow(
      'Expected `window` to be a number from 1 to 1000000000000, got a negative integer of 1 digit',
    )
  })
})
