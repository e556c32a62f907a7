import { randomUUID } from 'node:crypto'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AcquireTimeoutError, InvalidOptionError, RateLimitedError } from '../../errors.ts'
import { KeyedLimiter } from '../../keyed/keyed-limiter.ts'
import { KeyedLimits } from '../../keyed/keyed-limits.ts'
import { KeyedSemaphore } from '../../keyed/keyed-semaphore.ts'
import { KeyedWindow } from '../../keyed/keyed-window.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import { RedisKeyedLimiter, RedisKeyedSemaphore, RedisKeyedWindow } from './tracked.fixture.ts'

/** What all limiters by key have, wherever their states are. */
interface Keyed {
  tryAcquire(key: string, cost?: number): boolean | Promise<boolean>
  decide(key: string, cost?: number): Decision | Promise<Decision>
  acquire(key: string, cost: number, options?: { timeout?: number }): Promise<unknown>
  refund(key: string, cost?: number): unknown
  get(key: string): Decision | Promise<Decision>
  penalize(key: string, cost?: number): unknown
  block(key: string, ms: number): unknown
  reset(key: string): unknown
}

/** 31 years in ms: the longest that anything may take. */
const LONGEST = 1e12
const LIMIT = 4
/** Nothing comes back within a test. */
const SLOW = { rate: 1e-4, burst: LIMIT }
const WINDOW = { limit: LIMIT, window: 1e9 }

const NO_NUMBERS = [Number.NaN, Infinity, -Infinity, -1, -1e-9, '1', null, 1n] as number[]

describeRedis('limiters by key, local and on Redis', redis => {
  let client: Redis
  beforeAll(async () => {
    client = new Redis(redis.server.port)
    await client.ping()
  })
  afterAll(() => client.disconnect())

  const shared = () => ({ client, id: randomUUID(), timeout: 5_000, whenDown: 'closed' }) as const
  const kinds: Readonly<Record<string, () => Keyed>> = {
    KeyedLimiter: () => new KeyedLimiter(SLOW),
    RedisKeyedLimiter: () => new RedisKeyedLimiter({ ...shared(), ...SLOW }),
    KeyedWindow: () => new KeyedWindow(WINDOW),
    RedisKeyedWindow: () => new RedisKeyedWindow({ ...shared(), ...WINDOW }),
    KeyedLimits: () =>
      new KeyedLimits([
        new KeyedLimiter(SLOW),
        new RedisKeyedWindow({ ...shared(), ...WINDOW }),
      ]) as unknown as Keyed,
  }

  describe.each(Object.entries(kinds))('%s', (name, make) => {
    const buckets = name.endsWith('KeyedLimiter')
    /** Whether a call is refused by a typed error, thrown or by rejection. */
    const refused = async (call: () => unknown) => {
      const error = await Promise.resolve()
        .then(call)
        .then(
          () => undefined,
          error => error,
        )
      return error instanceof InvalidOptionError
    }
    const left = async (limiter: Keyed) => (await limiter.get('a')).remaining

    test('numbers that are none spend, give back, take and block nothing', async () => {
      const limiter = make()
      expect(await limiter.tryAcquire('a', 2)).toBe(true)
      for (const wrong of NO_NUMBERS) {
        for (const verb of ['tryAcquire', 'decide', 'refund', 'penalize', 'block'] as const) {
          expect([verb, wrong, await refused(() => limiter[verb]('a', wrong))]).toEqual([
            ...[verb, wrong, true],
          ])
        }
      }
      for (const wrong of NO_NUMBERS.slice(0, 5)) {
        if (name === 'KeyedLimits') break
        expect([wrong, await refused(() => limiter.acquire('a', wrong))]).toEqual([wrong, true])
      }
      for (const wrong of [1e308, LIMIT + 1, LIMIT + 1e-9]) {
        expect(await refused(() => limiter.tryAcquire('a', wrong))).toBe(true)
        expect(await refused(() => limiter.decide('a', wrong))).toBe(true)
        expect(await refused(() => limiter.refund('a', wrong))).toBe(true)
      }
      for (const wrong of [1e308, Number.MAX_SAFE_INTEGER, LONGEST * (1 + 1e-9)]) {
        expect(await refused(() => limiter.block('a', wrong))).toBe(true)
      }
      expect(await left(limiter)).toBeCloseTo(2, 3)
    })

    test('a key that is no string is refused', async () => {
      const limiter = make()
      for (const wrong of [undefined, null, 1, Symbol.iterator, {}, ['a']] as never[]) {
        const calls = [
          ...(['tryAcquire', 'decide', 'refund', 'penalize'] as const).map(
            verb => () => limiter[verb](wrong, 1),
          ),
          () => limiter.get(wrong),
          () => limiter.block(wrong, 1),
          () => limiter.reset(wrong),
        ]
        for (const call of calls)
          expect([String(call), await refused(call)]).toEqual([String(call), true])
      }
    })

    test('nothing changes nothing', async () => {
      const limiter = make()
      expect(await limiter.tryAcquire('a', 0)).toBe(true)
      expect(await limiter.decide('a', -0)).toMatchObject({ allowed: true, remaining: LIMIT })
      await limiter.penalize('a', 0)
      await limiter.block('a', 0)
      await limiter.block('a', -0)
      expect(await left(limiter)).toBe(LIMIT)
      expect(await limiter.tryAcquire('a', LIMIT)).toBe(true)
      await limiter.refund('a', 0)
      await limiter.block('a', 0)
      expect(await left(limiter)).toBeCloseTo(0, 3)
      // What costs nothing passes, whatever is left.
      expect((await limiter.decide('a', 0)).allowed).toBe(true)
    })

    test('fractions: a bucket counts them, a window rounds them up, what is given back as what was spent', async () => {
      const limiter = make()
      expect(await limiter.tryAcquire('a', 0.5)).toBe(true)
      await limiter.penalize('a', 0.5)
      await limiter.refund('a', 0.25)
      const { limiter: tightest } = (await limiter.get('a')) as { limiter?: object }
      expect(await left(limiter)).toBeCloseTo(buckets ? 3.25 : 3, 3)
      if (name === 'KeyedLimits') expect(tightest).toBeInstanceOf(RedisKeyedWindow)
    })

    test('the longest block, and a penalty beyond all that a bucket holds, last for 1e12 ms at most, and reset ends them', async () => {
      const limiter = make()
      for (const verb of ['block', 'penalize'] as const) {
        // As many tokens as come in that time; a window takes no more than its limit.
        await limiter[verb]('a', verb === 'block' ? LONGEST : LONGEST * 1e-7)
        const { allowed, remaining, resetAfter, retryAfter } = await limiter.get('a')
        expect({ allowed, remaining }).toEqual({ allowed: false, remaining: 0 })
        expect(Number.isFinite(resetAfter)).toBe(true)
        expect(retryAfter).toBeGreaterThan(1e6)
        expect(retryAfter).toBeLessThanOrEqual(LONGEST + 1e7 + 1)
        await limiter[verb]('a', verb === 'block' ? 1 : LONGEST * 1e-7)
        expect((await limiter.get('a')).retryAfter).toBeLessThanOrEqual(LONGEST + 1e7 + 1)
        expect(await limiter.tryAcquire('a')).toBe(false)
        await limiter.reset('a')
        expect(await limiter.tryAcquire('a', LIMIT)).toBe(true)
        await limiter.reset('a')
      }
      const huge = name.endsWith('Window') ? 1e308 : LONGEST * 1e-7 * (1 + 1e-9)
      expect(await refused(() => limiter.penalize('a', huge))).toBe(!name.endsWith('Window'))
    })

    test('a block or a penalty is not ended by a shorter or smaller one', async () => {
      const limiter = make()
      await limiter.block('a', 1e10)
      await limiter.block('a', 10)
      expect((await limiter.get('a')).retryAfter).toBeGreaterThan(9.9e9)
      expect(await limiter.tryAcquire('b', LIMIT)).toBe(true)
    })
  })

  test('a call that is willing to wait for nothing has what is there, and is refused what is not', async () => {
    const now = { timeout: 0 }
    for (const limiter of Object.values(kinds)
      .slice(0, 4)
      .map(make => make())) {
      expect(await limiter.acquire('a', LIMIT, now)).toEqual({ waited: 0 })
      await expect(limiter.acquire('a', 1, now)).rejects.toThrow(RateLimitedError)
    }
    const semaphores = [
      new KeyedSemaphore({ permits: 1 }),
      new RedisKeyedSemaphore({ ...shared(), permits: 1, whenDown: 'closed' }),
    ]
    for (const semaphore of semaphores) {
      expect(await semaphore.acquire('a', now)).toBeDefined()
      await expect(semaphore.acquire('a', now)).rejects.toThrow(AcquireTimeoutError)
      await semaphore.close()
    }
  })

  test.each(['local', 'Redis'])('a semaphore by key, %s: weights that are none', async where => {
    const semaphores =
      where === 'local'
        ? new KeyedSemaphore({ permits: 2 })
        : new RedisKeyedSemaphore({ ...shared(), permits: 2, whenDown: 'closed' })
    for (const wrong of [...NO_NUMBERS, 0, 0.5, 1e308, 3]) {
      const take = async () => semaphores.tryAcquire('a', wrong)
      await expect(take(), String(wrong)).rejects.toThrow(InvalidOptionError)
      const wait = async () => semaphores.acquire('a', { weight: wrong })
      await expect(wait(), String(wrong)).rejects.toThrow(InvalidOptionError)
    }
    for (const wrong of [undefined, null, 1, {}] as never[]) {
      await expect(async () => semaphores.tryAcquire(wrong)).rejects.toThrow(InvalidOptionError)
    }
    expect(await semaphores.tryAcquire('a', 2)).toBeDefined()
    await semaphores.close()
  })
})
