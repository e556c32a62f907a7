import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TokenBucket } from '../bucket/token-bucket.ts'
import { InvalidOptionError, LimiterClosedError, RateLimitedError } from '../errors.ts'
import { KeyedLimiter } from './keyed-limiter.ts'

describe('KeyedLimiter', () => {
  test('each key has a bucket of its own, prototype names included', () => {
    const clock = new VirtualClock()
    const limiter = new KeyedLimiter({ rate: 1, burst: 2, clock })
    for (const key of ['a', 'b', '', '__proto__', 'constructor']) {
      expect([1, 2, 3].map(() => limiter.tryAcquire(key))).toEqual([true, true, false])
    }
    clock.advance(1_000)
    expect(limiter.tryAcquire('a')).toBe(true)
    expect(limiter.stats()).toMatchObject({ keys: 5, granted: 11, refused: 5 })
  })

  test('it decides for every key as a TokenBucket would', () =>
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 100, noNaN: true }),
        fc.integer({ min: 3, max: 10 }),
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(3), fc.nat(500))),
        (rate, burst, calls) => {
          const clock = new VirtualClock()
          const keyed = new KeyedLimiter({ rate, burst, clock })
          const single = new Map(
            ['a', 'b', 'c'].map(key => [key, new TokenBucket({ rate, burst, clock })]),
          )
          for (const [key, cost, pause] of calls) {
            clock.advance(pause)
            const expected = single.get(key)!.decide(cost)
            const decision = keyed.decide(key, cost)
            expect(decision.allowed).toBe(expected.allowed)
            expect(decision.remaining).toBeCloseTo(expected.remaining, 6)
            expect(decision.retryAfter).toBeCloseTo(expected.retryAfter, 6)
            expect(decision.resetAfter).toBeCloseTo(expected.resetAfter, 6)
          }
        },
      ),
      { numRuns: runs(200) },
    ))

  test('keys whose bucket is full again make room for new ones', () => {
    const clock = new VirtualClock()
    const limiter = new KeyedLimiter({ rate: 10, burst: 1, maxKeys: 1_000_000, clock })
    for (let i = 0; i < 100_000; i++) {
      limiter.tryAcquire(`key ${i}`)
      clock.advance(1)
    }
    // Each key is in use for 100 ms, so about 100 at a time; some thousands are kept in any case.
    expect(limiter.stats().keys).toBeLessThan(4_200)
    expect(limiter.stats().evicted).toBe(0)
  })

  test('beyond maxKeys a flood of new keys displaces itself, not the key that is limited', () => {
    const clock = new VirtualClock()
    const limiter = new KeyedLimiter({ rate: 1, burst: 10, maxKeys: 100, clock })
    while (limiter.tryAcquire('greedy')) {}
    for (let i = 0; i < 5_000; i++) limiter.tryAcquire(`flood ${i}`)
    expect(limiter.tryAcquire('greedy')).toBe(false)
    expect(limiter.stats()).toMatchObject({ keys: 100, evicted: 4_901 })
  })

  test('callers wait for their own key only, with one timer for all', async () => {
    const clock = new VirtualClock()
    const limiter = new KeyedLimiter({ rate: 10, burst: 1, clock })
    const granted: [string, number][] = []
    for (const key of ['a', 'a', 'b', 'a', 'b']) {
      void limiter.acquire(key).then(() => granted.push([key, clock.now()]))
    }
    expect(clock.pending).toBe(1)
    expect(limiter.stats().waiting).toBe(3)
    await clock.advanceAsync(1_000)
    expect(granted).toEqual([
      ['a', 0],
      ['b', 0],
      ['a', 100],
      ['b', 100],
      ['a', 200],
    ])
    expect(clock.pending).toBe(0)
    expect(limiter.stats().waiting).toBe(0)
  })

  test('a key that callers wait for is never given up', async () => {
    const clock = new VirtualClock()
    const limiter = new KeyedLimiter({ rate: 10, burst: 1, maxKeys: 4, clock })
    limiter.tryAcquire('awaited')
    const waiting = limiter.acquire('awaited')
    for (let i = 0; i < 100; i++) limiter.tryAcquire(`other ${i}`)
    await clock.advanceAsync(100)
    expect(await waiting).toEqual({ waited: 100 })
  })

  test('refusals, aborts, refunds, deletion and disposal', async () => {
    const clock = new VirtualClock()
    const limiter = new KeyedLimiter({ rate: 10, burst: 2, clock })
    limiter.tryAcquire('a', 2)
    await expect(limiter.acquire('a', { timeout: 99 })).rejects.toThrow(RateLimitedError)
    await expect(limiter.acquire('a', 1, { signal: AbortSignal.abort('no') })).rejects.toBe('no')
    const waiting = limiter.acquire('a')
    limiter.refund('a')
    expect(await waiting).toEqual({ waited: 0 })
    const next = limiter.acquire('a', 2)
    expect(limiter.reset('a')).toBe(true)
    expect(await next).toEqual({ waited: 0 })
    expect(limiter.reset('a')).toBe(true)
    expect(limiter.reset('a')).toBe(false)
    limiter.tryAcquire('b', 2)
    const closed = expect(limiter.acquire('b')).rejects.toThrow(LimiterClosedError)
    expect(limiter.stats()).toMatchObject({ refused: 1, aborts: 1, timeouts: 0 })
    limiter[Symbol.dispose]()
    await closed
    await expect(limiter.acquire('c')).rejects.toThrow(LimiterClosedError)
    expect(clock.pending).toBe(0)
  })

  test('a penalty spends what is not there yet too', async () => {
    const clock = new VirtualClock()
    const parent = new TokenBucket({ rate: 10, burst: 10, clock })
    const limiter = new KeyedLimiter({ rate: 10, burst: 2, parent, clock })
    limiter.penalize('a')
    expect(limiter.tryAcquire('a')).toBe(true)
    limiter.penalize('a', 3)
    expect(limiter.decide('a')).toMatchObject({ allowed: false, remaining: 0, retryAfter: 400 })
    expect(limiter.tryAcquire('b')).toBe(true)
    const waiting = limiter.acquire('a')
    limiter.penalize('a')
    await clock.advanceAsync(1_000)
    expect(await waiting).toEqual({ waited: 500 })
    expect(limiter.stats()).toMatchObject({ granted: 3, refunded: 0 })
    expect(parent.stats().granted).toBe(3)
  })

  test('a key that is paused has its next token when that ends, and is free when it is deleted', async () => {
    const clock = new VirtualClock()
    const limiter = new KeyedLimiter({ rate: 10, burst: 2, clock })
    limiter.block('a', 60_000)
    expect(limiter.decide('a')).toMatchObject({ allowed: false, retryAfter: 60_000 })
    // A shorter pause does not end a longer one.
    limiter.block('a', 1)
    const waiting = limiter.acquire('a')
    await clock.advanceAsync(60_000)
    expect(await waiting).toEqual({ waited: 60_000 })
    expect(limiter.tryAcquire('a')).toBe(false)
    expect(limiter.reset('a')).toBe(true)
    expect(limiter.tryAcquire('a', 2)).toBe(true)
  })

  test('a parent counts in what is left, and is refunded for keys that are forgotten', () => {
    const clock = new VirtualClock()
    const parent = new TokenBucket({ rate: 0.001, burst: 3, clock })
    const limiter = new KeyedLimiter({ rate: 10, burst: 2, maxKeys: 1, parent, clock })
    expect(limiter.decide('a', 2)).toMatchObject({ allowed: true, remaining: 0 })
    expect(limiter.decide('b')).toMatchObject({ allowed: true, remaining: 0 })
    limiter.refund('a', 2)
    expect(parent.stats()).toMatchObject({ granted: 1, refunded: 2 })
    expect(limiter.decide('c', 0)).toMatchObject({ limit: 2, remaining: 2 })
  })

  test('bad arguments', async () => {
    const limiter = new KeyedLimiter({ rate: 10, burst: 2 })
    expect(() => limiter.tryAcquire('a', 3)).toThrow(
      'Expected `cost` to be a number from 0 to the burst of 2, got a positive integer of 1 digit',
    )
    await expect(limiter.acquire('a', { priority: 11 })).rejects.toThrow('Expected `priority`')
    await expect(limiter.acquire('a', { timeout: Number.NaN })).rejects.toThrow(
      'Expected `timeout`',
    )
    // @ts-expect-error a missing key is a frequent mistake of callers without types
    expect(() => limiter.tryAcquire(undefined)).toThrow('Expected `key` to be a string')
    expect(() => limiter.penalize('a', -1)).toThrow(
      /^Expected `cost` to be a number from 0 to \d+, got a negative integer of 1 digit$/,
    )
    expect(() => limiter.block('a', Number.NaN)).toThrow('Expected `ms`')
    expect(() => new KeyedLimiter({ rate: 1, maxKeys: 0 })).toThrow(InvalidOptionError)
  })
})
