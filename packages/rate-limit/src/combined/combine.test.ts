import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TokenBucket } from '../bucket/token-bucket.ts'
import { InvalidOptionError, RateLimitedError } from '../errors.ts'
import { KeyedLimiter } from '../keyed/keyed-limiter.ts'
import type { AcquireOptions } from '../wait/acquire-options.ts'
import { FairOrder } from '../wait/order/fair-order.ts'
import { SlidingWindow } from '../window/sliding-window.ts'
import { combine } from './combine.ts'

function setUp() {
  const clock = new VirtualClock()
  const second = new TokenBucket({ rate: 10, burst: 5, clock, name: 'second' })
  const minute = new SlidingWindow({ limit: 8, window: 60_000, clock, name: 'minute' })
  return { clock, second, minute, both: combine([second, minute], { clock }) }
}

describe('combine', () => {
  test('takes from all or from none', () => {
    const { clock, second, minute, both } = setUp()
    expect(both.tryAcquire(5)).toBe(true)
    expect(both.tryAcquire()).toBe(false)
    expect(minute.stats().granted).toBe(5)
    clock.advance(500)
    expect(both.tryAcquire(3)).toBe(true)
    clock.advance(500)
    expect(both.tryAcquire()).toBe(false)
    expect(second.stats()).toMatchObject({ granted: 8, available: 5 })
    expect(both.stats()).toMatchObject({ granted: 8, refused: 2 })
  })

  test('the wait is the longest of the waits, known at once', async () => {
    const { clock, both } = setUp()
    expect(both.tryAcquire(5)).toBe(true)
    expect(both.estimateWait(2)).toBe(200)
    const served: number[] = []
    for (let i = 0; i < 4; i++) void both.acquire().then(() => served.push(clock.now()))
    await expect(both.acquire({ timeout: 59_000 })).rejects.toThrow(RateLimitedError)
    await clock.advanceAsync(60_000)
    expect(served).toEqual([100, 200, 300, 60_000])
  })

  test('who waits is served when a limit inside is refunded or raised', async () => {
    const { clock, second, minute, both } = setUp()
    both.tryAcquire(5)
    const first = both.acquire(2)
    second.refund(2)
    expect(await first).toEqual({ waited: 0 })
    const next = both.acquire(1)
    second.setLimits({ rate: 1_000, burst: 5 })
    await clock.advanceAsync(1)
    expect(await next).toEqual({ waited: 1 })
    both.refund(1)
    expect([second.stats().granted, minute.stats().granted]).toEqual([5, 7])
  })

  test('who waits for more than a lowered limit allows is told so', async () => {
    const { second, both, clock } = setUp()
    both.tryAcquire(5)
    const doomed = expect(both.acquire(4)).rejects.toThrow(InvalidOptionError)
    second.setLimits({ rate: 10, burst: 2 })
    await doomed
    expect(clock.pending).toBe(0)
  })

  test('also when the limit is inside another combination, and had been raised before', async () => {
    const { second, both, clock } = setUp()
    const outer = combine([new TokenBucket({ rate: 1_000, clock }), both], { clock })
    second.setLimits({ rate: 10, burst: 7 })
    outer.tryAcquire(5)
    const doomed = expect(outer.acquire(3)).rejects.toThrow(InvalidOptionError)
    second.setLimits({ rate: 10, burst: 2 })
    await doomed
    expect(clock.pending).toBe(0)
  })

  test('nobody overtakes those who wait for a limit inside', async () => {
    const { second, both, clock } = setUp()
    second.tryAcquire(5)
    const direct = second.acquire(5)
    clock.advance(400)
    expect(both.tryAcquire(1)).toBe(false)
    await clock.advanceAsync(100)
    expect(await direct).toEqual({ waited: 500 })
  })

  test('combinations contain combinations', () => {
    const { clock, both } = setUp()
    const whole = combine([both, new TokenBucket({ rate: 1, burst: 2, clock })], { clock })
    expect([1, 2, 3].map(() => whole.tryAcquire())).toEqual([true, true, false])
    expect(both.stats().granted).toBe(2)
  })

  test('a keyed limiter shares its parent among the keys, and takes from both or neither', async () => {
    const clock = new VirtualClock()
    const parent = new TokenBucket({ rate: 10, burst: 4, clock })
    const perUser = new KeyedLimiter({ rate: 5, burst: 3, parent, clock })
    expect([1, 2, 3, 4].map(() => perUser.tryAcquire('a'))).toEqual([true, true, true, false])
    expect([1, 2].map(() => perUser.tryAcquire('b'))).toEqual([true, false])
    expect(parent.stats()).toMatchObject({ granted: 4, refused: 0 })
    const served: [string, number][] = []
    for (const key of ['a', 'b', 'c']) {
      void perUser.acquire(key).then(() => served.push([key, clock.now()]))
    }
    await clock.advanceAsync(1_000)
    expect(served.map(([, time]) => time)).toEqual([100, 200, 300])
    expect(served.map(([key]) => key).sort()).toEqual(['a', 'b', 'c'])
    expect(() => perUser.tryAcquire('a', 4)).toThrow(InvalidOptionError)
    parent.setLimits({ rate: 10, burst: 2 })
    expect(() => perUser.tryAcquire('a', 3)).toThrow('from 0 to the burst of 2')
  })

  test('who waits for a limit by itself and who waits for it among others are served in turn', async () => {
    const clock = new VirtualClock()
    const shared = new TokenBucket({ rate: 10, burst: 2, clock })
    shared.tryAcquire(2)
    const ways = {
      itself: () => shared.acquire(),
      combined: () => combined.acquire(),
      large: () => other.acquire(2),
    }
    const combined = combine([new TokenBucket({ rate: 100, clock }), shared], { clock })
    const other = combine([shared, new SlidingWindow({ limit: 9, window: 1, clock })], { clock })
    const served: string[] = []
    for (let round = 0; round < 4; round++) {
      for (const [name, acquire] of Object.entries(ways)) {
        void acquire().then(() => served.push(name))
      }
    }
    expect(clock.pending).toBe(1)
    await clock.advanceAsync(1_600)
    // A combination has one caller in the line at a time, whose successor stands at the end.
    const rounds = [
      'itself combined large',
      'itself itself itself',
      ...Array(3).fill('combined large'),
    ]
    expect(served.join(' ')).toBe(rounds.join(' '))
    expect(clock.pending).toBe(0)
    expect(shared.stats()).toMatchObject({ waiting: 0, granted: 18 })
  })

  test('keys that wait for their parent are served in turn, the large costs too, or by share', async () => {
    const clock = new VirtualClock()
    for (const order of [undefined, new FairOrder()]) {
      const parent = new TokenBucket({ rate: 10, burst: 2, clock, order })
      parent.tryAcquire(2)
      const perUser = new KeyedLimiter({ rate: 1_000, burst: 2, parent, clock })
      const served = { ann: 0, bob: 0, cid: 0 }
      const aborting = new AbortController()
      for (const key of ['ann', 'bob', 'cid'] as const) {
        for (let i = 0; i < 100; i++) {
          const cost = key === 'cid' ? 2 : 1
          perUser.acquire(key, cost, { signal: aborting.signal }).then(
            () => {
              served[key] += cost
            },
            () => {},
          )
        }
      }
      await clock.advanceAsync(12_000)
      expect(served.ann + served.bob + served.cid).toBeGreaterThanOrEqual(119)
      for (const tokens of Object.values(served)) expect(tokens).toBeGreaterThanOrEqual(29)
      aborting.abort()
      expect(clock.pending).toBe(0)
      expect(parent.stats().waiting).toBe(0)
    }
  })

  test('disposing of a limit inside leaves nobody waiting for ever', async () => {
    const { second, both, clock } = setUp()
    both.tryAcquire(5)
    const waiting = [both.acquire(), both.acquire()]
    second[Symbol.dispose]()
    await clock.advanceAsync(10_000)
    expect(await Promise.all(waiting)).toHaveLength(2)
  })

  test('no limit inside is ever exceeded, and every wait ends', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            fc.constantFrom('x', 'y', 'shared'),
            fc.integer({ min: 1, max: 3 }),
            fc.nat(300),
          ),
        ),
        async plan => {
          const clock = new VirtualClock()
          const bucket = (rate: number) => new TokenBucket({ rate, burst: 3, catchUp: 0, clock })
          const shared = bucket(8)
          const limiters = {
            x: combine([bucket(5), shared], { clock }),
            y: combine([bucket(7), shared], { clock }),
            shared,
          }
          const times: [number, number][] = []
          let waiting = 0
          for (const [name, cost, pause] of plan) {
            waiting++
            void limiters[name].acquire(cost).then(() => {
              waiting--
              times.push([clock.now(), cost])
            })
            await clock.advanceAsync(pause)
          }
          await clock.advanceAsync(1e6)
          expect(waiting).toBe(0)
          expect(clock.pending).toBe(0)
          for (let first = 0; first < times.length; first++) {
            let sum = 0
            for (let last = first; last < times.length; last++) {
              sum += times[last]![1]
              const span = times[last]![0] - times[first]![0]
              expect(sum).toBeLessThanOrEqual(3 + span * 0.008 + 1e-3)
            }
          }
        },
      ),
      { numRuns: runs(100) },
    ))

  test('over limits that are shared in every way, no wait is lost, whatever is given up or changed', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.record({
              do: fc.constant('acquire' as const),
              way: fc.nat(5),
              cost: fc.integer({ min: 1, max: 3 }),
              timeout: fc.option(fc.nat(2_000), { nil: undefined }),
              priority: fc.constantFrom(5, 5, 0, 9),
            }),
            fc.record({ do: fc.constant('abort' as const), which: fc.nat(30) }),
            fc.record({ do: fc.constant('refund' as const), which: fc.nat(1) }),
            fc.record({
              do: fc.constant('limits' as const),
              which: fc.nat(1),
              burst: fc.integer({ min: 1, max: 4 }),
            }),
            fc.record({ do: fc.constant('advance' as const), ms: fc.nat(400) }),
            fc.record({ do: fc.constant('stall' as const), ms: fc.nat(400) }),
          ),
          { maxLength: 60 },
        ),
        async plan => {
          const clock = new VirtualClock()
          const shared = [8, 11].map(rate => new TokenBucket({ rate, burst: 3, clock })) as [
            TokenBucket,
            TokenBucket,
          ]
          const own = () => new TokenBucket({ rate: 6, burst: 3, clock })
          const pair = combine(shared, { clock })
          const keyed = new KeyedLimiter({ rate: 7, burst: 3, parent: shared[0], clock })
          const ways: ((cost: number, options: AcquireOptions) => Promise<unknown>)[] = [
            ...[shared[0], pair, combine([own(), pair], { clock })].map(
              limiter => (cost: number, options: AcquireOptions) => limiter.acquire(cost, options),
            ),
            (cost, options) => both.acquire(cost, options),
            (cost, options) => keyed.acquire('a', cost, options),
            (cost, options) => keyed.acquire('b', cost, options),
          ]
          const both = combine([shared[1], own()], { clock })
          const controllers: AbortController[] = []
          let settled = 0
          for (const step of plan) {
            if (step.do === 'acquire') {
              const { cost, timeout, priority } = step
              const controller = new AbortController()
              controllers.push(controller)
              const { signal } = controller
              const end = () => settled++
              ways[step.way]!(cost, { timeout, priority, signal }).then(end, end)
              await clock.advanceAsync(0)
            } else if (step.do === 'abort') controllers[step.which]?.abort()
            else if (step.do === 'advance') await clock.advanceAsync(step.ms)
            else if (step.do === 'stall') clock.jumpTo(clock.now() + step.ms)
            else if (step.do === 'limits') {
              shared[step.which as 0].setLimits({ rate: 9, burst: step.burst })
            } else {
              const bucket = shared[step.which as 0]
              bucket.refund(Math.min(1, bucket.stats().granted))
            }
          }
          await clock.advanceAsync(1e6)
          expect(settled).toBe(controllers.length)
          expect(clock.pending).toBe(0)
          for (const bucket of shared) expect(bucket.stats().waiting).toBe(0)
        },
      ),
      { numRuns: runs(300) },
    ))

  test.each([[[]], [[1]], [null]])('refuses %o', limits => {
    expect(() => combine((limits ?? [undefined]) as never)).toThrow(InvalidOptionError)
  })

  test('has the clock of its limits, and refuses limits of several', async () => {
    const clock = new VirtualClock()
    const bucket = new TokenBucket({ rate: 1, burst: 1, clock })
    const keyed = new KeyedLimiter({ rate: 1, burst: 1, parent: bucket })
    expect([keyed.tryAcquire('a'), keyed.tryAcquire('b')]).toEqual([true, false])
    const both = combine([bucket, new SlidingWindow({ limit: 5, window: 60_000, clock })])
    const waiting = both.acquire()
    clock.advance(1_000)
    expect(await waiting).toEqual({ waited: 1_000 })

    const other = new TokenBucket({ rate: 1, burst: 1 })
    expect(() => combine([bucket, other])).toThrow('limiters that have the same clock')
    expect(() => combine([both, other])).toThrow('limiters that have the same clock')
    const elsewhere = { clock: new VirtualClock() }
    expect(() => combine([bucket], elsewhere)).toThrow("Expected `clock` to be the limits' own")
    expect(() => combine([bucket], { clock })).not.toThrow()
    const limits = { rate: 1, burst: 1, parent: bucket }
    expect(() => new KeyedLimiter({ ...limits, ...elsewhere })).toThrow("the parent's own")
  })

  test('refuses the same limit twice, which would count double', () => {
    const { second } = setUp()
    expect(() => combine([second, second])).toThrow(
      'Expected `limits` to be limiters that are each contained once, got an array of length 2',
    )
  })
})
