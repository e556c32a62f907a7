import { randomUUID } from 'node:crypto'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AcquireTimeoutError, InvalidOptionError, RateLimitedError } from '../../errors.ts'
import { HttpLimit } from '../../http/http-limit.ts'
import type { KeyedDecider } from '../../http/keyed-decider.ts'
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
/** Nothing comes back within a test: in half a minute three thousandths. */
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
      expect(await left(limiter)).toBeCloseTo(2, 2)
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
      expect(await left(limiter)).toBeCloseTo(0, 2)
      // What costs nothing passes, whatever is left.
      expect((await limiter.decide('a', 0)).allowed).toBe(true)
    })

    test('fractions: a bucket counts them, a window rounds them up, what is given back as what was spent', async () => {
      const limiter = make()
      expect(await limiter.tryAcquire('a', 0.5)).toBe(true)
      await limiter.penalize('a', 0.5)
      await limiter.refund('a', 0.25)
      const { limiter: tightest } = (await limiter.get('a')) as { limiter?: object }
      expect(await left(limiter)).toBeCloseTo(buckets ? 3.25 : 3, 2)
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

    test('a block holds for fractions, and whatever is given back', async () => {
      // Shorter and longer than a bucket's token takes.
      for (const ms of [1e6, 1e9]) {
        const limiter = make()
        expect(await limiter.tryAcquire('a', 3)).toBe(true)
        await limiter.block('a', ms)
        for (const cost of [1, 0.5, 0.5]) await limiter.refund('a', cost)
        expect(await limiter.decide('a', 0.01)).toMatchObject({ allowed: false, remaining: 0 })
        const { allowed, remaining, retryAfter, resetAfter } = await limiter.get('a')
        expect({ allowed, remaining }).toEqual({ allowed: false, remaining: 0 })
        expect(retryAfter).toBeGreaterThan(0.9 * ms)
        expect(resetAfter).toBeGreaterThan(0.9 * ms)
        await limiter.reset('a')
        expect(await limiter.tryAcquire('a', LIMIT)).toBe(true)
      }
    })

    test('a block or a penalty is not ended by a shorter or smaller one', async () => {
      const limiter = make()
      await limiter.block('a', 1e10)
      await limiter.block('a', 10)
      expect((await limiter.get('a')).retryAfter).toBeGreaterThan(9.9e9)
      expect(await limiter.tryAcquire('b', LIMIT)).toBe(true)
    })
  })

  const waiting = {
    KeyedLimiter: () => new KeyedLimiter({ rate: 1e-3, burst: 2 }),
    RedisKeyedLimiter: () =>
      new RedisKeyedLimiter({ ...shared(), rate: 1e-3, burst: 2, maxWait: 1e9 }),
    KeyedWindow: () => new KeyedWindow({ limit: 2, window: 1e6 }),
    RedisKeyedWindow: () => new RedisKeyedWindow({ ...shared(), limit: 2, window: 1e6 }),
  }

  test.each(Object.entries(waiting))('%s: callers that leave shorten no block', async (_, make) => {
    const limiter = make()
    expect(await limiter.tryAcquire('a', 2)).toBe(true)
    const controller = new AbortController()
    const { signal } = controller
    const left = [1, 2, 3].map(cost =>
      limiter.acquire('a', Math.min(2, cost), { signal }).catch(error => error),
    )
    // By the second answer the first of them has reserved its place on Redis.
    for (let i = 0; i < 2; i++) await limiter.get('b')
    await limiter.block('a', 1e8)
    controller.abort(new Error('left'))
    for (const error of await Promise.all(left)) expect(error).toEqual(new Error('left'))
    for (let i = 0; i < 2; i++) {
      const { allowed, remaining, retryAfter } = await limiter.get('a')
      expect({ allowed, remaining }).toEqual({ allowed: false, remaining: 0 })
      expect(retryAfter).toBeGreaterThan(0.995e8)
    }
  })

  test('callers that wait already do not come in a block', async () => {
    const limits = { rate: 10, burst: 1 }
    const window = { limit: 1, window: 100 }
    const id = randomUUID()
    const other = new RedisKeyedLimiter({ ...shared(), id, ...limits })
    const pairs = [
      [new KeyedLimiter(limits)],
      [new KeyedWindow(window)],
      [new RedisKeyedLimiter({ ...shared(), ...limits })],
      [new RedisKeyedWindow({ ...shared(), ...window })],
      // Blocked by another process it learns of that by its next call.
      [new RedisKeyedLimiter({ ...shared(), id, ...limits }), other],
    ] as const
    const blocked = pairs.map(async ([limiter, blocker = limiter]) => {
      let passed = 0
      const calls = Array.from({ length: 10 }, () =>
        limiter.acquire('a', 1, { timeout: 1_000 }).then(
          () => void passed++,
          error => error,
        ),
      )
      while (passed === 0) await limiter.get('a')
      await blocker.block('a', 1e6)
      await limiter.get('a')
      const before = passed
      await Promise.all(calls)
      return passed - before
    })
    expect(await Promise.all(blocked)).toEqual([0, 0, 0, 0, 0])
  })

  test('a block holds while Redis is away', async () => {
    const gone = new Redis(redis.server.port)
    gone.on('error', () => {})
    await gone.ping()
    const local = { ...shared(), client: gone, whenDown: 'local', processes: 1 } as const
    const limiters = [
      new RedisKeyedLimiter({ ...local, ...SLOW }),
      new RedisKeyedWindow({ ...local, ...WINDOW }),
    ]
    for (const limiter of limiters) await limiter.block('a', 1e6)
    gone.disconnect()
    while (gone.status !== 'end') await client.ping()
    for (const limiter of limiters) {
      expect(await limiter.decide('a', 0.5)).toMatchObject({ allowed: false, remaining: 0 })
      expect(await limiter.tryAcquire('b')).toBe(true)
    }
  })

  test.each(Object.entries(kinds))(
    '%s: of what the middleware takes only failures stay taken, fractions as well',
    async (name, make) => {
      const limiter = make() as unknown as KeyedDecider
      const limit = new HttpLimit({ limiter, count: 'failed', cost: 0.5, key: () => 'a' })
      const facts = { remoteAddress: undefined, forwardedFor: undefined }
      const answer = async (status: number) => {
        const verdict = await limit.check({}, facts)
        if (verdict.pass) await verdict.settle!(status)
        return verdict.pass
      }
      for (let i = 0; i < 3 * LIMIT; i++) expect(await answer(200)).toBe(true)
      const most = name.endsWith('KeyedLimiter') ? 2 * LIMIT : LIMIT
      for (let i = 0; i < most; i++) expect(await answer(401)).toBe(true)
      expect(await answer(401)).toBe(false)
    },
  )

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
