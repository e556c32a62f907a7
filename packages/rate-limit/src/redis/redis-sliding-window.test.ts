import { randomUUID } from 'node:crypto'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { StoreUnavailableError } from '../errors.ts'
import { RedisKeyedLimiter } from './redis-keyed-limiter.ts'
import { RedisSlidingWindow } from './redis-sliding-window.ts'

describeRedis('RedisSlidingWindow', redis => {
  let client: Redis
  beforeAll(async () => {
    client = new Redis(redis.server.port)
    await client.ping()
  })
  afterAll(() => client.disconnect())

  function pair(window: number, id: string = randomUUID()) {
    const make = () => new RedisSlidingWindow({ client, id, limit: 3, window, deadline: 5_000 })
    return { id, a: make(), b: make() }
  }

  test('processes share one exact window', async () => {
    const { a, b } = pair(60_000)
    const calls = [a, b, a, b, a].map(limiter => limiter.tryAcquire())
    expect((await Promise.all(calls)).filter(Boolean)).toHaveLength(3)
    const decision = await a.decide()
    expect(decision).toMatchObject({ allowed: false, limit: 3, remaining: 0 })
    expect(decision.retryAfter).toBeGreaterThan(50_000)
    expect(decision.resetAfter).toBeGreaterThanOrEqual(decision.retryAfter)
  })

  test('who waits is served when the window has room, in order, and never earlier', async () => {
    const { a } = pair(60)
    const times: number[] = []
    const start = performance.now()
    await Promise.all(
      Array.from({ length: 7 }, () =>
        a.acquire().then(() => times.push(performance.now() - start)),
      ),
    )
    expect(times[3]).toBeGreaterThanOrEqual(59)
    expect(times[6]).toBeGreaterThanOrEqual(119)
    expect(a.stats()).toMatchObject({ granted: 7, waiting: 0 })
  })

  test('a server clock that was set back does not stop the window for as long', async () => {
    const { id, a } = pair(50)
    // What a server leaves behind whose clock was an hour ahead.
    const ahead = Date.now() * 1_000 - 1_700_000_000 * 1e6 + 3_600e6
    const key = `millrace:limit:{${id}}:window`
    await client.zadd(key, ahead, 'x', ahead + 1, 'y', ahead + 2, 'z')
    expect(await a.tryAcquire()).toBe(false)
    expect((await a.acquire({ timeout: 10_000 })).waited).toBeGreaterThanOrEqual(40)
  })

  test('abort, disposal, outage and bad options', async () => {
    const { a } = pair(60_000)
    await a.acquire(3)
    const controller = new AbortController()
    const aborted = expect(a.acquire({ signal: controller.signal })).rejects.toBe('enough')
    controller.abort('enough')
    await aborted
    const closed = expect(a.acquire()).rejects.toThrow('is closed')
    a[Symbol.dispose]()
    await closed
    await expect(a.acquire(4)).rejects.toThrow('an integer from 1 to the limit of 3, got 4')
    const gone = new Redis(1, { lazyConnect: true })
    const lonely = new RedisSlidingWindow({ client: gone, id: 'x', limit: 1, window: 1 })
    await expect(lonely.acquire()).rejects.toThrow(StoreUnavailableError)
  })
})

describeRedis('RedisKeyedLimiter', redis => {
  let client: Redis
  beforeAll(async () => {
    client = new Redis(redis.server.port)
    await client.ping()
  })
  afterAll(() => client.disconnect())

  function make(options: object = {}) {
    const limits = { rate: 0.01, burst: 2, deadline: 5_000 }
    return new RedisKeyedLimiter({ client, id: randomUUID(), ...limits, ...options })
  }

  test('each key has a bucket, whatever it contains', async () => {
    const limiter = make()
    for (const key of ['a', 'b:c', '{x}', '__proto__', '']) {
      const calls = [1, 2, 3].map(() => limiter.tryAcquire(key))
      expect(await Promise.all(calls)).toEqual([true, true, false])
    }
    await limiter.refund('a')
    expect(await limiter.decide('a')).toMatchObject({ allowed: true, limit: 2 })
    expect(limiter.stats()).toMatchObject({ granted: 11, refused: 5, trips: 17 })
  })

  test('callers wait for their slot, and an aborted one gives it back', async () => {
    const limiter = make({ rate: 4, burst: 1 })
    await limiter.acquire('a')
    expect((await limiter.acquire('a')).waited).toBeGreaterThanOrEqual(200)
    const controller = new AbortController()
    const aborted = expect(limiter.acquire('a', 1, { signal: controller.signal })).rejects.toBe(
      'no',
    )
    controller.abort('no')
    await aborted
    await expect(limiter.acquire('a', 1, { timeout: 1 })).rejects.toThrow('refuses')
  })

  test('without Redis: closed fails, open passes, local keeps a share of each key', async () => {
    const gone = new Redis(1, { lazyConnect: true })
    const closed = make({ client: gone, whenDown: 'closed' })
    await expect(closed.tryAcquire('a')).rejects.toThrow(StoreUnavailableError)
    const open = make({ client: gone, whenDown: 'open' })
    expect(await Promise.all([1, 2, 3].map(() => open.tryAcquire('a')))).toEqual([true, true, true])
    const local = make({ client: gone, processes: 2, burst: 4 })
    const calls = [1, 2, 3].map(() => local.tryAcquire('a'))
    expect(await Promise.all(calls)).toEqual([true, true, false])
    expect(await local.tryAcquire('b')).toBe(true)
    expect(local.stats().down).toBe(1)
  })
})
