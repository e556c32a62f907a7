import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvalidOptionError, LimiterClosedError, RateLimitedError } from '../errors.ts'
import { SlidingWindow } from '../window/sliding-window.ts'
import { KeyedWindow } from './keyed-window.ts'

describe('KeyedWindow', () => {
  test('each key has a window of its own, prototype names included', () => {
    const clock = new VirtualClock()
    const keyed = new KeyedWindow({ limit: 2, window: 1_000, clock })
    for (const key of ['a', 'b', '', '__proto__', 'constructor']) {
      expect([1, 2, 3].map(() => keyed.tryAcquire(key))).toEqual([true, true, false])
    }
    clock.advance(999)
    expect(keyed.get('a')).toMatchObject({ allowed: false, remaining: 0, retryAfter: 1 })
    clock.advance(1)
    expect(keyed.get('a')).toMatchObject({ allowed: true, remaining: 2, retryAfter: 0 })
    expect(keyed.tryAcquire('a', 2)).toBe(true)
    expect(keyed.tryAcquire('a')).toBe(false)
  })

  test('it decides for every key as a SlidingWindow would', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 8 }),
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(3), fc.nat(80))),
        (limit, calls) => {
          const clock = new VirtualClock()
          const options = { limit, window: 100, clock }
          const keyed = new KeyedWindow(options)
          const single = new Map(['a', 'b', 'c'].map(key => [key, new SlidingWindow(options)]))
          for (const [key, cost, pause] of calls) {
            clock.advance(pause)
            expect(keyed.decide(key, cost)).toEqual(single.get(key)!.decide(cost))
          }
        },
      ),
      { numRuns: runs(200) },
    ))

  test('who waits for a key is served in order as its window moves on', async () => {
    const clock = new VirtualClock()
    const keyed = new KeyedWindow({ limit: 1, window: 100, clock })
    expect(keyed.tryAcquire('a')).toBe(true)
    const served: [string, number][] = []
    for (const name of ['first', 'second']) {
      void keyed.acquire('a').then(() => served.push([name, clock.now()]))
    }
    expect(keyed.tryAcquire('b')).toBe(true)
    await expect(keyed.acquire('a', { timeout: 50 })).rejects.toThrow(RateLimitedError)
    expect(keyed.stats().waiting).toBe(2)
    await clock.advanceAsync(1_000)
    expect(served).toEqual([
      ['first', 100],
      ['second', 200],
    ])
  })

  test('what is given back of a key that has been forgotten is taken', () => {
    const clock = new VirtualClock()
    const keyed = new KeyedWindow({ limit: 2, window: 1_000, maxKeys: 1, clock })
    keyed.tryAcquire('a', 2)
    keyed.tryAcquire('b')
    keyed.refund('a', 2)
    expect(keyed.get('b').remaining).toBe(1)
    clock.advance(1_000)
    keyed.tryAcquire('a')
    keyed.refund('a', 2)
    expect(keyed.get('a').remaining).toBe(2)
  })

  test('a refund and a reset make room, for who waits too', async () => {
    const clock = new VirtualClock()
    const keyed = new KeyedWindow({ limit: 2, window: 1_000, clock })
    expect(keyed.reset('a')).toBe(false)
    keyed.tryAcquire('a', 2)
    keyed.refund('a')
    expect([keyed.tryAcquire('a'), keyed.tryAcquire('a')]).toEqual([true, false])
    const waiting = keyed.acquire('a')
    expect(keyed.reset('a')).toBe(true)
    expect(await waiting).toEqual({ waited: 0 })
    expect(keyed.get('a').remaining).toBe(1)
  })

  test.each(['log', 'counter'] as const)('penalties and blocks, by %s', async algorithm => {
    const clock = new VirtualClock()
    const keyed = new KeyedWindow({ limit: 2, window: 1_000, algorithm, clock })
    keyed.penalize('a', 5)
    expect(keyed.get('a')).toMatchObject({ allowed: false, remaining: 0 })
    expect(keyed.get('b').remaining).toBe(2)
    keyed.block('a', 10_000)
    keyed.block('a', 1)
    expect(keyed.get('a')).toMatchObject({ retryAfter: 10_000, resetAfter: 10_000 })
    const waiting = keyed.acquire('a')
    await clock.advanceAsync(9_999)
    expect(keyed.stats().waiting).toBe(1)
    await clock.advanceAsync(1)
    expect(await waiting).toEqual({ waited: 10_000 })
    keyed.block('a', 10_000)
    keyed.reset('a')
    expect(keyed.tryAcquire('a', 2)).toBe(true)
    expect(() => keyed.penalize('a', -1)).toThrow(InvalidOptionError)
    expect(() => keyed.block('a', Number.NaN)).toThrow(InvalidOptionError)
  })

  test('keys whose window is empty make room for new ones', () => {
    const clock = new VirtualClock()
    const keyed = new KeyedWindow({ limit: 1, window: 100, maxKeys: 100_000, clock })
    for (let i = 0; i < 10_000; i++) {
      keyed.tryAcquire(`key ${i}`)
      clock.advance(1)
    }
    // Each key is in use for 100 ms.
    expect(keyed.stats().keys).toBeLessThanOrEqual(102)
    expect(keyed.stats().evicted).toBe(0)
  })

  test('beyond maxKeys the least recently used are forgotten, but none that is waited for', async () => {
    const clock = new VirtualClock()
    const keyed = new KeyedWindow({ limit: 1, window: 1_000, maxKeys: 3, clock })
    keyed.tryAcquire('waited for')
    const waiting = keyed.acquire('waited for')
    keyed.tryAcquire('used again')
    keyed.tryAcquire('idle')
    expect(keyed.tryAcquire('used again')).toBe(false)
    keyed.tryAcquire('new')
    expect(keyed.stats()).toEqual({ keys: 3, maxKeys: 3, waiting: 1, evicted: 1 })
    expect(keyed.tryAcquire('used again')).toBe(false)
    await clock.advanceAsync(1_000)
    expect(await waiting).toMatchObject({ waited: 1_000 })
  })

  test('closing rejects who waits and who would', async () => {
    const keyed = new KeyedWindow({ limit: 1, window: 1_000, clock: new VirtualClock() })
    keyed.tryAcquire('a')
    const waiting = expect(keyed.acquire('a')).rejects.toThrow(LimiterClosedError)
    keyed.close()
    await waiting
    await expect(keyed.acquire('a')).rejects.toThrow(LimiterClosedError)
    await expect(keyed.acquire('b')).rejects.toThrow(LimiterClosedError)
  })

  test('bad options and keys', () => {
    const limits = { limit: 1, window: 100 }
    expect(() => new KeyedWindow({ ...limits, limit: 0 })).toThrow(InvalidOptionError)
    expect(() => new KeyedWindow({ ...limits, window: 0 })).toThrow(InvalidOptionError)
    expect(() => new KeyedWindow({ ...limits, maxKeys: 0 })).toThrow(InvalidOptionError)
    expect(() => new KeyedWindow({ ...limits, order: 1 } as never)).toThrow('`order`')
    expect(() => new KeyedWindow(limits).tryAcquire(1 as never)).toThrow('`key`')
  })
})
