import { randomUUID } from 'node:crypto'
import { describeRedis } from '@millrace/testkit/vitest'
import type { Redis } from 'ioredis'
import { beforeEach, expect, test } from 'vitest'
import { InvalidOptionError, LimiterClosedError } from '../../errors.ts'
import { KeyedLimits } from '../../keyed/keyed-limits.ts'
import { KeyedWindow } from '../../keyed/keyed-window.ts'
import { PriorityOrder } from '../../wait/order/priority-order.ts'
import { connections, goneClient } from '../testing/connections.fixture.ts'
import { writtenAhead } from '../testing/server-time.fixture.ts'
import {
  RedisKeyedLimiter,
  RedisKeyedSemaphore,
  RedisKeyedWindow,
  RedisSemaphore,
  RedisSlidingWindow,
} from '../testing/tracked.fixture.ts'
import type { RedisKeyedWindowOptions } from './redis-keyed-window.ts'

/** Long against any test: time passes only where a test says so. */
const WINDOW = 3_600_000

describeRedis('windows and keys on Redis', redis => {
  const connect = connections()
  let client: Redis
  beforeEach(async () => {
    client = await connect(redis.server.port)
  })

  const shared = (rest: object = {}) => ({ client, id: randomUUID(), timeout: 60_000, ...rest })

  function pair(options: Partial<RedisKeyedWindowOptions> = {}) {
    const given = { ...shared(), limit: 3, window: WINDOW, ...options }
    return { given, a: new RedisKeyedWindow(given), b: new RedisKeyedWindow(given) }
  }

  const passes = async (keyed: { tryAcquire(key: string): Promise<unknown> }, key: string) => {
    let count = 0
    while (count < 10 && (await keyed.tryAcquire(key))) count++
    return count
  }

  test('what is given back makes room for other processes, the oldest of its own first', async () => {
    const { given, a, b } = pair()
    await a.tryAcquire('k')
    await a.tryAcquire('k', 2)
    expect(await b.tryAcquire('k')).toBe(false)
    await a.refund('k', 2)
    const key = `millrace:limit:${given.id}:{k}:window`
    expect(await client.zcard(key)).toBe(1)
    expect(await passes(b, 'k')).toBe(2)
    expect(a.stats()).toMatchObject({ granted: 1, refunded: 2 })
    await expect(a.refund('k', 4)).rejects.toThrow(InvalidOptionError)
    // What another process was granted leaves the window by itself.
    await new RedisKeyedWindow(given).refund('k')
    expect(await passes(b, 'k')).toBe(0)
    await a.refund('k')
    expect(await passes(b, 'k')).toBe(1)
  })

  test('what was given back is not entered again when Redis has lost the window', async () => {
    const { given, a } = pair()
    await a.tryAcquire('k', 3)
    await a.refund('k')
    await client.flushall()
    expect(await passes(a, 'k')).toBe(1)
    expect(await client.zcard(`millrace:limit:${given.id}:{k}:window`)).toBe(3)
  })

  test('what passed without Redis is given back without it, and the rest when it is back', async () => {
    const lost = await connect(redis.server.port)
    const { given, b } = pair({ processes: 1 })
    const a = new RedisKeyedWindow({ ...given, client: lost, breaker: { cooldown: 10 } })
    await a.tryAcquire('k')
    lost.disconnect()
    while (lost.status !== 'end') await client.ping()
    await a.tryAcquire('k')
    expect(a.stats().unsettled).toBe(1)
    await a.refund('k')
    expect(a.stats().unsettled).toBe(0)
    await a.refund('k')
    expect(await passes(b, 'k')).toBe(2)
    await lost.connect()
    while (!(await b.tryAcquire('k'))) await client.ping()
    await a.close()
  })

  test('penalties spend what is not there, a block ends when it does, and a reset ends both', async () => {
    const { given, a, b } = pair()
    await a.tryAcquire('k')
    await a.penalize('k', 100)
    const full = await b.get('k')
    expect(full).toMatchObject({ allowed: false, remaining: 0 })
    expect(full.retryAfter).toBeGreaterThan(WINDOW / 2)
    await b.reset('k')
    expect(await b.get('k')).toMatchObject({ allowed: true, remaining: 3, retryAfter: 0 })

    await a.block('k', 10 * WINDOW)
    await a.block('k', 1)
    const { allowed, remaining, retryAfter } = await b.decide('k')
    expect([allowed, remaining]).toEqual([false, 0])
    expect(retryAfter).toBeGreaterThan(9 * WINDOW)
    expect(await b.tryAcquire('other')).toBe(true)
    // As time would.
    const state = `millrace:limit:${given.id}:{k}:window:state`
    const doubles = (await client.getBuffer(state))!
    doubles.writeDoubleBE(1, 6 * 8)
    await client.set(state, doubles, 'KEEPTTL')
    expect(await passes(b, 'k')).toBe(3)
    await a.block('k', WINDOW)
    await b.reset('k')
    expect(await passes(a, 'k')).toBe(3)
    for (const wrong of [-1, Number.NaN, Infinity]) {
      await expect(a.block('k', wrong)).rejects.toThrow(InvalidOptionError)
      await expect(a.penalize('k', wrong)).rejects.toThrow(InvalidOptionError)
    }
  })

  test('costs are as those of a window in one process: nothing, or rounded up', async () => {
    const { given, a, b } = pair()
    expect(await a.decide('k', 0.5)).toMatchObject({ allowed: true, remaining: 2 })
    expect(await a.tryAcquire('k', 1.5)).toBe(true)
    expect(await a.tryAcquire('k', 0.1)).toBe(false)
    expect(await b.decide('k', 0)).toMatchObject({ allowed: true, remaining: 0, retryAfter: 0 })
    expect(await b.acquire('k', 0)).toEqual({ waited: 0 })
    expect(await client.zcard(`millrace:limit:${given.id}:{k}:window`)).toBe(3)
    await a.refund('k', 1.5)
    expect(await passes(b, 'k')).toBe(2)
    for (const wrong of [-1, 3.5, Number.NaN, '1']) {
      await expect(a.tryAcquire('k', wrong as never)).rejects.toThrow(InvalidOptionError)
    }
  })

  test('limits on Redis and in the process are passed, blocked and reset as one', async () => {
    const second = new RedisKeyedLimiter({ ...shared(), rate: 1e-6, burst: 2 })
    const { a } = pair()
    const local = new KeyedWindow({ limit: 2, window: WINDOW })
    const limits = new KeyedLimits([second, a, local])
    expect(await limits.tryAcquire('k', 2)).toBe(true)
    expect(await limits.tryAcquire('k')).toBe(false)
    // The first that refuses ends it, and nothing is spent by that.
    expect(
      (await limits.get('k')).parts.map(({ decision }) => Math.floor(decision.remaining)),
    ).toEqual([0, 1, 0])
    await limits.reset('k')
    expect(await limits.get('k')).toMatchObject({ allowed: true, limit: 2 })
    await limits.block('k', 60_000)
    expect(await limits.tryAcquire('k')).toBe(false)
    expect(local.get('k').remaining).toBe(0)
  })

  test("a block ends in time though the server's clock was set back", async () => {
    const { given, a, b } = pair()
    await a.block('k', 60_000)
    const state = `millrace:limit:${given.id}:{k}:window:state`
    await writtenAhead(client, 3_600_000, { state, indexes: [0, 3, 6] })
    const { allowed, retryAfter } = await b.decide('k')
    expect(allowed).toBe(false)
    expect(retryAfter).toBeGreaterThan(0)
    expect(retryAfter).toBeLessThanOrEqual(60_000)
  })

  test('times that Redis cannot keep are refused, and leave the limit as it is', async () => {
    const window = new RedisKeyedWindow({ ...shared(), limit: 2, window: WINDOW })
    const bucket = new RedisKeyedLimiter({ ...shared(), rate: 1, burst: 2 })
    for (const ms of [1e13, 1e16, 1e300]) {
      await expect(window.block('k', ms)).rejects.toThrow(InvalidOptionError)
      await expect(bucket.block('k', ms)).rejects.toThrow(InvalidOptionError)
      await expect(bucket.penalize('k', ms)).rejects.toThrow(InvalidOptionError)
    }
    await window.block('k', 1e12)
    await bucket.block('k', 1e12)
    await bucket.penalize('l', 1e9)
    for (const limiter of [window, bucket]) {
      expect((await limiter.get('k')).retryAfter).toBeGreaterThan(9e11)
      expect(await limiter.tryAcquire('m')).toBe(true)
      await limiter.close()
    }
  })

  test('keys that UTF-8 cannot tell apart are, and so are those of limits with like names', async () => {
    const limits = { rate: 1e-6, burst: 2 }
    const window = { limit: 2, window: WINDOW }
    const kinds = [
      new RedisKeyedLimiter({ ...shared(), ...limits }),
      new RedisKeyedWindow({ ...shared(), ...window }),
      new RedisKeyedSemaphore({ ...shared(), permits: 2 }),
    ]
    const keys = [
      '',
      '\ud800',
      '\ud801',
      'a\udc00',
      '\ufffd',
      '"\\ud800"',
      '__proto__',
      '{',
      '}',
      'a:b',
    ]
    for (const keyed of kinds) {
      for (const key of [...keys, 'x'.repeat(1 << 17)]) expect(await passes(keyed, key)).toBe(2)
      await keyed.close()
    }
    const id = randomUUID()
    const one = new RedisKeyedSemaphore({ ...shared(), id, permits: 1 })
    const other = new RedisKeyedSemaphore({ ...shared(), id: `${id}:a`, permits: 1 })
    const plain = new RedisSemaphore({ ...shared(), id: `${id}:a:b`, permits: 1 })
    expect(await one.tryAcquire('a:b')).toBeDefined()
    expect(await other.tryAcquire('b')).toBeDefined()
    expect(await plain.tryAcquire()).toBeDefined()
    await Promise.all([one.close(), other.close(), plain.close()])
  })

  test('a closed limiter takes no call that would wait, of whatever key', async () => {
    const order = new PriorityOrder()
    const single = new RedisSlidingWindow({ ...shared(), limit: 1, window: WINDOW, order })
    await single.acquire()
    const waiting = single.acquire()
    const refused = expect(waiting).rejects.toThrow(LimiterClosedError)
    await single.close()
    await refused
    const { a } = pair()
    await a.acquire('k')
    await a.close()
    await expect(a.acquire('another')).rejects.toThrow(LimiterClosedError)
    const semaphore = new RedisSemaphore({ ...shared(), permits: 1 })
    await semaphore.close()
    await expect(semaphore.tryAcquire()).rejects.toThrow(LimiterClosedError)
  })
})

test('mistakes in options are found before the first call waits', () => {
  const client = goneClient()
  const make: Record<string, (options: object) => unknown> = {
    window: rest => new RedisSlidingWindow({ client, id: 'a', limit: 1, window: 1, ...rest }),
    windows: rest => new RedisKeyedWindow({ client, id: 'a', limit: 1, window: 1, ...rest }),
    semaphore: rest => new RedisSemaphore({ client, id: 'a', permits: 1, ...rest }),
    semaphores: rest => new RedisKeyedSemaphore({ client, id: 'a', permits: 1, ...rest }),
    buckets: rest => new RedisKeyedLimiter({ client, id: 'a', rate: 1, ...rest }),
  }
  const options: Record<string, readonly string[]> = {
    window: ['order', 'maxQueue', 'clock'],
    windows: ['maxQueue', 'clock'],
    semaphore: ['order', 'maxQueue', 'subscriber', 'clock'],
    semaphores: ['maxQueue', 'clock'],
    buckets: ['clock', 'maxKeys'],
  }
  // Times that Redis cannot keep.
  for (const wrong of [1e-9, 0.5, 1e13, 1e300]) {
    expect(() => make['window']!({ window: wrong })).toThrow(InvalidOptionError)
    expect(() => make['windows']!({ window: wrong })).toThrow(InvalidOptionError)
    expect(() => make['semaphore']!({ ttl: wrong })).toThrow(InvalidOptionError)
    expect(() => make['semaphores']!({ ttl: wrong })).toThrow(InvalidOptionError)
  }
  for (const [kind, names] of Object.entries(options)) {
    for (const name of names) {
      for (const wrong of [null, -1, 0.5, Number.NaN, 'x', {}, Symbol('s')]) {
        expect(() => make[kind]!({ [name]: wrong }), `${kind} ${name}`).toThrow(InvalidOptionError)
      }
    }
  }
})
