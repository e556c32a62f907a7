import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlidingWindow } from './sliding-window.ts'

describe('SlidingWindow', () => {
  test('lets through no more than its limit over the edge of two windows', () => {
    const clock = new VirtualClock()
    const window = new SlidingWindow({ limit: 3, window: 1_000, clock })
    clock.advance(900)
    expect([1, 2, 3, 4].map(() => window.tryAcquire())).toEqual([true, true, true, false])
    clock.advance(999)
    expect(window.decide()).toEqual({
      allowed: false,
      limit: 3,
      remaining: 0,
      resetAfter: 1,
      retryAfter: 1,
      nextAfter: 1,
    })
    clock.advance(1)
    expect(window.tryAcquire(3)).toBe(true)
    expect(window.stats()).toMatchObject({ limit: 3, window: 1_000, granted: 6, refused: 2 })
  })

  test('waits are known exactly, over more than one window too', async () => {
    const clock = new VirtualClock()
    const window = new SlidingWindow({ limit: 2, window: 100, clock })
    const served: number[] = []
    window.tryAcquire()
    clock.advance(30)
    window.tryAcquire()
    const predicted: number[] = []
    for (let i = 0; i < 5; i++) {
      predicted.push(clock.now() + window.estimateWait())
      void window.acquire().then(() => served.push(clock.now()))
    }
    expect(predicted).toEqual([100, 130, 200, 230, 300])
    await clock.advanceAsync(1_000)
    expect(served).toEqual(predicted)
  })

  test('a refund takes the place that would free first', async () => {
    const clock = new VirtualClock()
    const window = new SlidingWindow({ limit: 2, window: 100, clock })
    window.tryAcquire()
    clock.advance(50)
    window.tryAcquire()
    const waiting = window.acquire()
    window.refund()
    expect(await waiting).toEqual({ waited: 0 })
    clock.advance(60)
    // The permits of 50 ms are both still in the window.
    expect(window.tryAcquire()).toBe(false)
  })

  test('fractional costs are rounded up', () => {
    const window = new SlidingWindow({ limit: 2, window: 100, clock: new VirtualClock() })
    expect([0.5, 0.5, 0.5].map(cost => window.tryAcquire(cost))).toEqual([true, true, false])
  })

  const calls = fc.array(fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 3 }), fc.boolean()), {
    maxLength: 60,
  })

  test.each([
    ['log', 1],
    ['counter', 2],
  ] as const)(
    '%s: no window holds more than %d times the limit, and every wait ends',
    (algorithm, factor) =>
      fc.assert(
        fc.asyncProperty(fc.integer({ min: 3, max: 8 }), calls, async (limit, plan) => {
          const clock = new VirtualClock()
          const window = new SlidingWindow({ limit, window: 1_000, algorithm, clock })
          const times: number[] = []
          let waiting = 0
          for (const [pause, cost, wait] of plan) {
            await clock.advanceAsync(pause)
            const note = () => {
              for (let i = 0; i < cost; i++) times.push(clock.now())
            }
            if (!wait) {
              if (window.tryAcquire(cost)) note()
              continue
            }
            waiting++
            void window.acquire(cost).then(() => {
              waiting--
              note()
            })
            await clock.advanceAsync(0)
          }
          await clock.advanceAsync(1e6)
          expect(waiting).toBe(0)
          for (const end of times) {
            const held = times.filter(time => time > end - 1_000 + 1e-6 && time <= end).length
            expect(held).toBeLessThanOrEqual(limit * factor)
          }
        }),
        { numRuns: runs(150) },
      ),
  )

  test('log: grants less refunds stay within the limit in every window', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 8 }),
        fc.array(fc.tuple(fc.nat(400), fc.integer({ min: -3, max: 3 })), {
          maxLength: 60,
          size: 'max',
        }),
        (limit, plan) => {
          const clock = new VirtualClock()
          const window = new SlidingWindow({ limit, window: 1_000, clock })
          const flows: [time: number, cost: number][] = []
          for (const [pause, cost] of plan) {
            clock.advance(pause)
            if (cost >= 0) {
              if (window.tryAcquire(cost)) flows.push([clock.now(), cost])
            } else if (window.stats().granted >= -cost) {
              window.refund(-cost)
              flows.push([clock.now(), cost])
            }
          }
          for (const [end] of flows) {
            const within = flows.filter(([time]) => time > end - 1_000 && time <= end)
            const sum = within.reduce((total, [, cost]) => total + cost, 0)
            expect(sum).toBeLessThanOrEqual(limit)
          }
        },
      ),
      { numRuns: runs(300) },
    ))

  test('the counter keeps its limit over evenly spread calls and tells when to come again', () => {
    const clock = new VirtualClock()
    const window = new SlidingWindow({ limit: 100, window: 1_000, algorithm: 'counter', clock })
    let passed = 0
    for (let ms = 0; ms < 10_000; ms++) {
      if (window.tryAcquire()) passed++
      clock.advance(1)
    }
    expect(passed).toBeGreaterThan(950)
    expect(passed).toBeLessThanOrEqual(1_000)
    const wait = window.estimateWait(50)
    clock.advance(wait - 1)
    expect(window.tryAcquire(50)).toBe(false)
    clock.advance(1)
    expect(window.tryAcquire(50)).toBe(true)
  })

  test.each([
    [
      { limit: 1.5 },
      'Expected `limit` to be an integer of at least 1, got a positive number with a fraction',
    ],
    [
      { limit: 0.5, algorithm: 'counter' as const },
      'Expected `limit` to be an integer of at least 1, got a positive number with a fraction',
    ],
    [{ window: 0 }, 'Expected `window` to be a number from 0.001 to 1000000000000000, got 0'],
    [
      { algorithm: 'fixed' as 'log' },
      "Expected `algorithm` to be one of 'log', 'counter', got a string of length 5",
    ],
  ])('refuses %o', (options, message) => {
    expect(() => new SlidingWindow({ limit: 1, window: 1, ...options })).toThrow(message)
  })
})

test('a log takes memory for what was in the window, not for its limit', () => {
  const clock = new VirtualClock()
  const limiter = new SlidingWindow({ limit: 2 ** 40, window: 1_000, clock })
  expect(limiter.tryAcquire(100_000)).toBe(true)
  expect(limiter.stats().available).toBe(2 ** 40 - 100_000)
  expect(limiter.estimateWait(2 ** 40)).toBe(1_000)
  clock.advance(1_000)
  expect(limiter.tryAcquire(2 ** 20)).toBe(true)
  limiter.refund(2 ** 20)
  expect(limiter.stats().available).toBe(2 ** 40)
})
