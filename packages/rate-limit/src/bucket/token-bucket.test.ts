import { VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { combine } from '../combined/combine.ts'
import {
  AcquireTimeoutError,
  InvalidOptionError,
  LimiterClosedError,
  QueueFullError,
  RateLimitedError,
} from '../errors.ts'
import { TokenBucket, type TokenBucketOptions } from './token-bucket.ts'

function setUp(options: Partial<TokenBucketOptions> = {}) {
  const clock = new VirtualClock(1_000)
  const bucket = new TokenBucket({ rate: 10, burst: 5, clock, ...options })
  const granted: [string, number][] = []
  const acquire = (name: string, cost = 1, more = {}) =>
    bucket.acquire(cost, more).then(admission => {
      granted.push([name, clock.now() - 1_000])
      return admission
    })
  return { clock, bucket, granted, acquire }
}

describe('TokenBucket', () => {
  test('starts full, hands out its burst and then its rate', () => {
    const { clock, bucket } = setUp()
    const takeAll = () => {
      let taken = 0
      while (bucket.tryAcquire()) taken++
      return taken
    }
    expect(takeAll()).toBe(5)
    clock.advance(99)
    expect(takeAll()).toBe(0)
    clock.advance(1)
    expect(takeAll()).toBe(1)
    clock.advance(10_000)
    expect(takeAll()).toBe(5)
  })

  test('fractional rates and costs add up without drift', () => {
    const { clock, bucket } = setUp({ rate: 0.3, burst: 1 })
    expect(bucket.tryAcquire(0.25)).toBe(true)
    expect(bucket.tryAcquire(0.75)).toBe(true)
    let taken = 0
    for (let s = 0; s < 1_000; s++) {
      clock.advance(1_000)
      if (bucket.tryAcquire()) taken++
    }
    // Once per 3.33 s: what a look each second misses stays saved up, as the bucket holds one token.
    expect(taken).toBeGreaterThanOrEqual(250)
    expect(taken).toBeLessThanOrEqual(301)
  })

  test('waiters are served first come, first served, each at its exact time', async () => {
    const { clock, bucket, granted, acquire } = setUp()
    const all = Promise.all([acquire('a', 5), acquire('b', 2), acquire('c'), acquire('d', 3)])
    expect(bucket.stats().waiting).toBe(3)
    await clock.advanceAsync(1_000)
    expect(granted).toEqual([
      ['a', 0],
      ['b', 200],
      ['c', 300],
      ['d', 600],
    ])
    expect((await all).map(({ waited }) => waited)).toEqual([0, 200, 300, 600])
    expect(clock.pending).toBe(0)
  })

  test('nobody barges past those who wait', async () => {
    const { clock, bucket, granted, acquire } = setUp()
    void acquire('big', 5)
    void acquire('next', 5)
    await clock.advanceAsync(200)
    expect(bucket.stats().available).toBeCloseTo(2)
    expect(bucket.tryAcquire(1)).toBe(false)
    void acquire('small', 1)
    await clock.advanceAsync(400)
    expect(granted.map(([name]) => name)).toEqual(['big', 'next', 'small'])
  })

  test('one timer serves any number of waiters', () => {
    const { clock, acquire } = setUp()
    for (let i = 0; i < 100; i++) void acquire(`${i}`)
    expect(clock.pending).toBe(1)
  })

  test('an impossible timeout is refused at once with the exact wait, a possible one kept', async () => {
    const { clock, bucket, acquire } = setUp()
    void acquire('first', 5)
    void acquire('second', 3)
    const refused = bucket.acquire(1, { timeout: 399 })
    await expect(refused).rejects.toThrow(RateLimitedError)
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_MILLRACE_RATE_LIMITED',
      limiter: 'token-bucket',
      retryAfter: 400,
      message: 'Limiter "token-bucket" refuses: retry after 400 ms',
    })
    const kept = bucket.acquire(1, { timeout: 400 })
    await clock.advanceAsync(400)
    expect(await kept).toEqual({ waited: 400 })
    expect(bucket.stats()).toMatchObject({ granted: 9, refused: 1, waiting: 0 })
  })

  test('who is overtaken by higher priorities times out, and its token goes to the next', async () => {
    const { clock, bucket, acquire, granted } = setUp()
    void acquire('burst', 5)
    const late = acquire('late', 1, { timeout: 150, priority: 9 })
    void acquire('urgent', 5, { priority: 0 })
    const error = expect(late).rejects.toThrow(AcquireTimeoutError)
    await clock.advanceAsync(1_000)
    await error
    expect(granted).toEqual([
      ['burst', 0],
      ['urgent', 500],
    ])
    expect(bucket.stats()).toMatchObject({ timeouts: 1, granted: 10 })
  })

  test('who stood behind a large cost that times out is served at that moment', async () => {
    const { clock, bucket, acquire, granted } = setUp()
    bucket.tryAcquire(5)
    const large = expect(acquire('large', 5, { timeout: 700 })).rejects.toThrow(AcquireTimeoutError)
    void acquire('small')
    void acquire('urgent', 5, { priority: 0 })
    await clock.advanceAsync(2_000)
    await large
    expect(granted).toEqual([
      ['urgent', 500],
      ['small', 700],
    ])
  })

  test('abort ends one wait with the reason, and all behind move up', async () => {
    const { clock, bucket, acquire, granted } = setUp()
    const controller = new AbortController()
    void acquire('burst', 5)
    const aborted = acquire('aborted', 5, { signal: controller.signal })
    void acquire('behind')
    await clock.advanceAsync(50)
    const reason = new Error('changed my mind')
    controller.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    await clock.advanceAsync(50)
    expect(granted).toEqual([
      ['burst', 0],
      ['behind', 100],
    ])
    expect(bucket.stats()).toMatchObject({ aborts: 1, waiting: 0 })
    await expect(bucket.acquire(1, { signal: controller.signal })).rejects.toBe(reason)
    expect(bucket.stats().granted).toBe(6)
  })

  test('with nobody left waiting there is no timer', async () => {
    const { clock, acquire } = setUp()
    const controller = new AbortController()
    void acquire('burst', 5)
    const aborted = acquire('aborted', 1, { signal: controller.signal, timeout: 5_000 })
    expect(clock.pending).toBe(1)
    controller.abort()
    await expect(aborted).rejects.toThrow('aborted')
    expect(clock.pending).toBe(0)
  })

  test('a full queue refuses', async () => {
    const { bucket, acquire } = setUp({ maxQueue: 1 })
    void acquire('burst', 5)
    void acquire('waits')
    await expect(bucket.acquire()).rejects.toThrow(QueueFullError)
    await expect(bucket.acquire()).rejects.toMatchObject({ maxQueue: 1, limiter: 'token-bucket' })
  })

  test('a late wake-up loses no rate, within catchUp', async () => {
    const { clock, bucket } = setUp({ rate: 1_000, burst: 1, catchUp: 50 })
    let served = 0
    for (let i = 0; i < 200; i++) void bucket.acquire().then(() => served++)
    clock.jumpTo(clock.now() + 40)
    await clock.advanceAsync(0)
    expect(served).toBe(41)
    clock.jumpTo(clock.now() + 100)
    await clock.advanceAsync(0)
    expect(served).toBe(91)
    expect(bucket.stats().forfeited).toBeCloseTo(50)
    expect(bucket.stats().accuracy).toBeCloseTo(91 / 141)
  })

  test('strict never gives more than the burst at once', async () => {
    const { clock, bucket } = setUp({ rate: 1_000, burst: 2, strict: true })
    let served = 0
    for (let i = 0; i < 200; i++) void bucket.acquire().then(() => served++)
    clock.jumpTo(clock.now() + 40)
    await clock.advanceAsync(0)
    expect(served).toBe(4)
  })

  test('a refund serves who waits, and never saves up more than the burst', async () => {
    const { clock, bucket, granted, acquire } = setUp()
    void acquire('burst', 5)
    void acquire('waits', 2)
    bucket.refund(2)
    await clock.advanceAsync(0)
    expect(granted).toEqual([
      ['burst', 0],
      ['waits', 0],
    ])
    clock.advance(10_000)
    bucket.refund(5)
    expect(bucket.stats()).toMatchObject({ available: 5, granted: 0, refunded: 7 })
    expect(() => bucket.refund(1)).toThrow(
      'Expected `cost` to be a number from 0 to the 0 that may',
    )
  })

  test('a pause holds for what waits, for fractions, and whatever is given back, capped or set meanwhile', async () => {
    const { clock, bucket, granted, acquire } = setUp({ rate: 0.1 })
    const outer = combine([bucket])
    expect(bucket.tryAcquire(5)).toBe(true)
    void acquire('waits')
    void acquire('waits, too')
    bucket.pause(30_000)
    bucket.refund(5)
    bucket.cap(5)
    bucket.pause(1)
    expect(bucket.stats().available).toBeLessThanOrEqual(0)
    expect(bucket.estimateWait(0.1)).toBeGreaterThanOrEqual(30_000)
    // What was a pause at one rate is the same at another.
    bucket.setLimits({ rate: 1_000, burst: 5 })
    bucket.setLimits({ rate: 0.1, burst: 5 })
    expect(bucket.decide(0.01)).toMatchObject({ allowed: false, remaining: 0 })
    expect(outer.tryAcquire(0.01)).toBe(false)
    await clock.advanceAsync(29_999)
    expect(granted).toEqual([])
    await clock.advanceAsync(10_001)
    expect(granted).toEqual([
      ['waits', 30_000],
      ['waits, too', 40_000],
    ])
  })

  test('a pause shorter than a token takes keeps fractions back as well', () => {
    const { clock, bucket } = setUp({ rate: 0.1, burst: 0.5 })
    bucket.pause(1_000)
    expect(bucket.tryAcquire(0.1)).toBe(false)
    clock.advance(999)
    expect(bucket.decide(0.1)).toMatchObject({ allowed: false, remaining: 0, retryAfter: 1 })
    clock.advance(1)
    expect(bucket.tryAcquire(0.1)).toBe(true)
  })

  test('a rate change keeps what was saved and serves waiters by the new rate', async () => {
    const { clock, bucket, granted, acquire } = setUp()
    expect(bucket.tryAcquire(3)).toBe(true)
    bucket.setLimits({ rate: 100, burst: 10 })
    expect(bucket.stats()).toMatchObject({ available: 2, rate: 100, burst: 10 })
    void acquire('waits', 4)
    bucket.setLimits({ rate: 1, burst: 10 })
    await clock.advanceAsync(1_000)
    expect(granted).toEqual([])
    bucket.setLimits({ rate: 1_000, burst: 10 })
    await clock.advanceAsync(1)
    expect(granted).toEqual([['waits', 1_001]])
  })

  test('a waiter that a smaller burst can never satisfy is told so, and those behind go on', async () => {
    const { clock, bucket, granted, acquire } = setUp()
    void acquire('burst', 5)
    const doomed = expect(acquire('doomed', 4)).rejects.toThrow(InvalidOptionError)
    void acquire('behind', 1)
    bucket.setLimits({ rate: 10, burst: 2 })
    await doomed
    await clock.advanceAsync(100)
    expect(granted.at(-1)).toEqual(['behind', 100])
  })

  test('disposal rejects who waits and who would', async () => {
    const { bucket, acquire, clock } = setUp()
    void acquire('burst', 5)
    const waiting = expect(acquire('waits')).rejects.toThrow(LimiterClosedError)
    bucket[Symbol.dispose]()
    await waiting
    await expect(bucket.acquire()).rejects.toThrow('Limiter "token-bucket" is closed')
    expect(clock.pending).toBe(0)
  })

  test('thousands of waiters due at once leave turns to others', async () => {
    const { clock, bucket } = setUp({ rate: 1e6, burst: 1, catchUp: 1_000 })
    let served = 0
    for (let i = 0; i < 2_500; i++) void bucket.acquire().then(() => served++)
    clock.jumpTo(clock.now() + 1_000)
    await clock.advanceAsync(0)
    expect(served).toBe(2_500)
    expect(bucket.stats().accuracy).toBe(1)
  })

  test('decide tells what headers need', () => {
    const { clock, bucket } = setUp()
    expect(bucket.decide(2)).toEqual({
      allowed: true,
      limit: 5,
      remaining: 3,
      resetAfter: 200,
      retryAfter: 0,
      nextAfter: 0,
    })
    expect(bucket.decide(4)).toMatchObject({ allowed: false, remaining: 3, retryAfter: 100 })
    clock.advance(10_000)
    expect(bucket.estimateWait(5)).toBe(0)
    expect(bucket.decide(5)).toMatchObject({ allowed: true, remaining: 0, nextAfter: 100 })
    expect(bucket.estimateWait(5)).toBe(500)
  })

  test.each([
    [{ rate: 0 }, 'Expected `rate` to be a finite number above 0, got 0'],
    [{ rate: Number.NaN }, 'Expected `rate` to be a finite number above 0, got NaN'],
    [
      { burst: -1 },
      'Expected `burst` to be a finite number above 0, got a negative integer of 1 digit',
    ],
    [
      { catchUp: -5 },
      'Expected `catchUp` to be a finite number of at least 0, got a negative integer of 1 digit',
    ],
    [
      { maxQueue: 1.5 },
      'Expected `maxQueue` to be an integer of at least 0 or Infinity, got a positive number with a fraction',
    ],
  ])('refuses the options %o', (options, message) => {
    expect(() => setUp(options)).toThrow(message)
    expect(() => setUp(options)).toThrow(InvalidOptionError)
  })

  test.each([
    [6, {}, 'Expected `cost` to be a number from 0 to 5, got a positive integer of 1 digit'],
    ['1', {}, 'Expected `cost` to be a number from 0 to 5, got a string of length 1'],
    [Number.NaN, {}, 'Expected `cost` to be a number from 0 to 5, got NaN'],
    [-1, {}, 'Expected `cost` to be a number from 0 to 5, got a negative integer of 1 digit'],
    [
      5,
      { priority: 10 },
      'Expected `priority` to be an integer from 0 to 9, got a positive integer of 2 digits',
    ],
    [
      5,
      { priority: 0.5 },
      'Expected `priority` to be an integer from 0 to 9, got a positive number with a fraction',
    ],
    [
      5,
      { timeout: -1 },
      'Expected `timeout` to be a number of at least 0 or Infinity, got a negative integer of 1 digit',
    ],
    [5, { signal: {} }, 'Expected `signal` to be an AbortSignal, got an object'],
  ])('refuses to acquire %d with %o, wait or not', async (cost, options, message) => {
    const { bucket } = setUp()
    const refused = () => bucket.acquire(cost as number, options as never)
    await expect(refused()).rejects.toThrow(message)
    bucket.tryAcquire()
    await expect(refused()).rejects.toThrow(message)
    expect(bucket.stats()).toMatchObject({ granted: 1, waiting: 0 })
  })
})
