import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { describeRedis } from '@millrace/testkit/vitest'
import type { Redis } from 'ioredis'
import { beforeEach, expect, test } from 'vitest'
import { InvalidOptionError, LimitStoreUnavailableError, RateLimitedError } from '../../errors.ts'
import { connections, goneClient } from '../testing/connections.fixture.ts'
import {
  RedisKeyedLimiter,
  RedisKeyedSemaphore,
  RedisKeyedWindow,
} from '../testing/tracked.fixture.ts'

describeRedis('RedisKeyedLimiter', redis => {
  const connect = connections()
  let client: Redis
  beforeEach(async () => {
    client = await connect(redis.server.port)
  })

  function make(options: object = {}) {
    const limits = { rate: 0.01, burst: 2, timeout: 5_000 }
    return new RedisKeyedLimiter({ client, id: randomUUID(), ...limits, ...options })
  }

  test('each key has a bucket, whatever it contains', async () => {
    const limiter = make({ whenDown: 'closed' })
    for (const key of ['a', 'b:c', '{x}', '__proto__', '']) {
      const calls = [1, 2, 3].map(() => limiter.tryAcquire(key))
      expect(await Promise.all(calls)).toEqual([true, true, false])
    }
    await limiter.refund('a')
    expect(await limiter.decide('a')).toMatchObject({ allowed: true, limit: 2 })
    const stats = limiter.stats()
    expect(stats).toMatchObject({ granted: 10, refunded: 1, refused: 5, trips: 18 })
  })

  test('callers wait for their slot', async () => {
    const limiter = make({ rate: 5, burst: 1 })
    const start = performance.now()
    await limiter.acquire('a')
    const since = performance.now()
    const { waited } = await limiter.acquire('a')
    expect(waited).toBeLessThanOrEqual(performance.now() - since)
    // Its slot is 200 ms after the first, which was not before the start.
    expect(waited).toBeGreaterThanOrEqual(200 - (since - start))
    expect(limiter.stats()).toMatchObject({ granted: 2, waiting: 0 })
  })

  test('an aborted caller gives its slot back', async () => {
    const limiter = make({ burst: 1, maxWait: 600_000 })
    await limiter.acquire('a')
    const controller = new AbortController()
    const aborted = expect(limiter.acquire('a', { signal: controller.signal })).rejects.toBe('no')
    while (limiter.stats().waiting === 0) await client.ping()
    controller.abort('no')
    await aborted
    const refused = await limiter.acquire('a', { timeout: 1 }).catch(error => error)
    expect(refused, String(refused)).toBeInstanceOf(RateLimitedError)
    // It would be twice as long if the slot were still reserved.
    expect(refused.retryAfter).toBeLessThanOrEqual(100_000)
    expect(limiter.stats()).toMatchObject({ granted: 1, aborts: 1, waiting: 0 })
  })

  test('disposal rejects who waits and gives the slot back', async () => {
    const id = randomUUID()
    const [limiter, other] = [1, 2].map(() => make({ id, rate: 0.05, burst: 1 })) as [
      RedisKeyedLimiter,
      RedisKeyedLimiter,
    ]
    await limiter.acquire('a')
    const waiting = expect(limiter.acquire('a')).rejects.toThrow('is closed')
    while (limiter.stats().waiting === 0) await client.ping()
    await limiter[Symbol.asyncDispose]()
    await waiting
    // It would be twice as long if the slot were still reserved.
    expect((await other.decide('a')).retryAfter).toBeLessThanOrEqual(20_000)
    await expect(limiter.acquire('a')).rejects.toThrow('is closed')
  })

  test('of keys that owe, no more are kept than there may be', async () => {
    const limiter = make({ client: goneClient(), whenDown: 'open', maxKeys: 3 })
    for (let i = 0; i < 5; i++) await limiter.tryAcquire(`${i}`, 2)
    expect(limiter.stats()).toMatchObject({ granted: 10, unsettled: 6, down: 1 })
  })

  test('a refund while Redis is away is struck from what it will be told', async () => {
    const limiter = make({ client: goneClient(), processes: 1 })
    await limiter.acquire('a', 2)
    expect(await limiter.tryAcquire('a')).toBe(false)
    await limiter.refund('a')
    expect(limiter.stats()).toMatchObject({ granted: 1, refunded: 1, unsettled: 1 })
    expect(await limiter.tryAcquire('a')).toBe(true)
  })

  test('what one process was granted another gives back, and one that was started anew', async () => {
    const id = randomUUID()
    await make({ id }).acquire('a', 2)
    const other = make({ id })
    await other.refund('a', 2)
    expect(other.stats()).toMatchObject({ granted: -2, refunded: 2 })
    expect(await other.tryAcquire('a', 2)).toBe(true)
    expect(await other.tryAcquire('a')).toBe(false)
  })

  test('an error of Redis holds no key', async () => {
    const key = 'a-secret'
    const id = randomUUID()
    const shared = { client, id, timeout: 60_000, whenDown: 'closed' } as const
    const limiters = [
      make(shared),
      new RedisKeyedWindow({ ...shared, limit: 1, window: 1e6 }),
      new RedisKeyedSemaphore({ ...shared, permits: 1 }),
    ]
    // A state of another type is one that no script can read.
    const broken = async () => {
      for (const name of await client.keys(`*${id}*`)) {
        await client.del(name)
        await client.hset(name, 'not', 'ours')
      }
    }
    for (const limiter of limiters) {
      await limiter.tryAcquire(key)
      await broken()
      const error = await limiter.tryAcquire(key).catch(error => error)
      expect(error).toBeInstanceOf(LimitStoreUnavailableError)
      expect(error.cause).toMatchObject({ name: 'ReplyError', message: /WRONGTYPE/ })
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(key)
    }
  })

  test('bad arguments', async () => {
    const limiter = make()
    await expect(limiter.tryAcquire(1 as never)).rejects.toThrow(
      'Expected `key` to be a string, got a positive integer of 1 digit',
    )
    await expect(limiter.acquire('a', 3)).rejects.toThrow(InvalidOptionError)
    await expect(limiter.acquire('a', Number.NaN)).rejects.toThrow('to the burst of 2, got NaN')
    await expect(limiter.acquire('a', { priority: 10 })).rejects.toThrow(
      'Expected `priority` to be an integer from 0 to 9, got a positive integer of 2 digits',
    )
    await expect(limiter.refund('a', 3)).rejects.toThrow('a number from 0 to the 2 that may')
  })
})
