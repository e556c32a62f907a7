import type { Clock } from '@millrace/kit'
import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TokenBucket } from '../bucket/token-bucket.ts'
import type { MeteredLimiter } from '../limiter/metered-limiter.ts'
import { worstExcess } from '../testing/worst-excess.fixture.ts'
import { PriorityOrder } from '../wait/order/priority-order.ts'
import { SlidingWindow } from '../window/sliding-window.ts'
import { combine } from './combine.ts'

/** A clock that counts its timers. */
function counting(): { clock: Clock; virtual: VirtualClock; timers(): number } {
  const virtual = new VirtualClock()
  let timers = 0
  const clock: Clock = {
    now: () => virtual.now(),
    setTimer: (callback, delay) => {
      timers++
      return virtual.setTimer(callback, delay)
    },
  }
  return { clock, virtual, timers: () => timers }
}

type Leaf = { kind: 'bucket'; rate: number } | { kind: 'window'; limit: number; window: number }

const leaf: fc.Arbitrary<Leaf> = fc.oneof(
  fc.record({ kind: fc.constant('bucket' as const), rate: fc.integer({ min: 2, max: 20 }) }),
  fc.record({
    kind: fc.constant('window' as const),
    limit: fc.integer({ min: 1, max: 5 }),
    window: fc.integer({ min: 100, max: 3_000 }),
  }),
)

const plan = fc.record({
  leaves: fc.array(leaf, { minLength: 2, maxLength: 4 }),
  ageAfter: fc.constantFrom(0, 50, 5_000),
  /** Which combination is made of which: each of leaves and of combinations before it. */
  shapes: fc.array(fc.array(fc.nat(6), { minLength: 2, maxLength: 3 }), {
    minLength: 1,
    maxLength: 3,
  }),
  /** Calls that each keep one leaf busy without end. */
  crowd: fc.array(fc.record({ at: fc.nat(3), priority: fc.constantFrom(0, 5, 5, 9) }), {
    minLength: 2,
    maxLength: 12,
  }),
  steps: fc.array(
    fc.record({
      which: fc.nat(2),
      priority: fc.constantFrom(5, 5, 6, 9),
      pause: fc.nat(300),
      abort: fc.boolean(),
    }),
    { minLength: 60, maxLength: 80 },
  ),
})

describe('nested combinations of limits that are never idle', () => {
  test('no call starves, no timer spins, equals are served in order, and no limit is exceeded', () =>
    fc.assert(
      fc.asyncProperty(plan, async ({ leaves, ageAfter, shapes, crowd, steps }) => {
        const { clock, virtual, timers } = counting()
        const order = () => new PriorityOrder({ ageAfter })
        const grants = leaves.map((): [number, number][] => [])
        const all: MeteredLimiter[] = leaves.map(options =>
          options.kind === 'bucket'
            ? new TokenBucket({ rate: options.rate, burst: 1, catchUp: 0, clock, order: order() })
            : new SlidingWindow({
                limit: options.limit,
                window: options.window,
                clock,
                order: order(),
              }),
        )
        const within = leaves.map((_, index) => new Set([index]))
        for (const shape of shapes) {
          const parts: number[] = []
          const held = new Set<number>()
          for (const wish of shape) {
            const index = wish % all.length
            if ([...within[index]!].some(part => held.has(part))) continue
            for (const part of within[index]!) held.add(part)
            parts.push(index)
          }
          all.push(
            combine(
              parts.map(index => all[index]!),
              { clock, order: order() },
            ),
          )
          within.push(held)
        }
        const passed = (index: number) => {
          for (const part of within[index]!) grants[part]!.push([virtual.now(), 1])
        }

        let running = true
        const stop = new AbortController()
        for (const { at, priority } of crowd) {
          const index = at % leaves.length
          const again = async () => {
            while (running) {
              await all[index]!.acquire({ priority, signal: stop.signal })
              passed(index)
            }
          }
          // Its wait ends with the test.
          again().catch(() => undefined)
        }

        let settled = 0
        const served = new Map<string, number>()
        for (const [id, { which, priority, pause, abort }] of steps.entries()) {
          const index = leaves.length + (which % shapes.length)
          const controller = new AbortController()
          all[index]!.acquire({ priority, signal: controller.signal }).then(
            () => {
              settled++
              passed(index)
              const equals = `${index} ${priority}`
              expect(id).toBeGreaterThan(served.get(equals) ?? -1)
              served.set(equals, id)
            },
            () => settled++,
          )
          await virtual.advanceAsync(pause)
          if (abort) controller.abort()
        }
        // Strictly urgent crowds may keep others out, which is what priorities are for where ageing takes its time.
        const slowest = Math.max(
          ...leaves.map(l => (l.kind === 'bucket' ? 1_000 / l.rate : l.window)),
        )
        const perCall = slowest * (crowd.length + shapes.length + 2) * leaves.length
        const latest = virtual.now() + steps.length * perCall + 10 * ageAfter
        while (settled < steps.length && virtual.now() < latest) await virtual.advanceAsync(1_000)
        expect(settled).toBe(steps.length)
        running = false
        stop.abort()
        await virtual.advanceAsync(0)
        expect(virtual.pending).toBe(0)

        const total = grants.reduce((sum, list) => sum + list.length, 0)
        expect(timers()).toBeLessThan(20 * (total + steps.length + crowd.length) + 100)
        for (const [index, options] of leaves.entries()) {
          const flow = grants[index]!.slice(0, 400)
          if (options.kind === 'bucket') {
            expect(worstExcess(flow, 1, options.rate / 1_000)).toBeLessThan(1e-3)
          } else {
            for (let i = options.limit; i < flow.length; i++) {
              expect(flow[i]![0] - flow[i - options.limit]![0]).toBeGreaterThanOrEqual(
                options.window - 1e-6,
              )
            }
          }
        }
      }),
      { numRuns: runs(15) },
    ))

  test('an aged call whose turn comes in one limit while the other is not ready keeps nobody up', async () => {
    const { clock, virtual, timers } = counting()
    const order = new PriorityOrder({ ageAfter: 50 })
    const fast = new TokenBucket({ rate: 100, burst: 1, order, clock })
    const slow = new SlidingWindow({ limit: 1, window: 3_000, clock })
    const both = combine([fast, slow], { clock })
    fast.tryAcquire()
    let passed = 0
    const crowd = (count: number) => {
      for (let i = 0; i < count; i++) void fast.acquire().then(() => passed++)
    }
    crowd(10)
    let through = Number.NaN
    void both.acquire({ priority: 6 }).then(() => {
      through = virtual.now()
    })
    await virtual.advanceAsync(70)
    crowd(600)
    const start = virtual.now()
    expect(slow.tryAcquire()).toBe(true)
    await virtual.advanceAsync(2_500)
    expect(passed).toBeGreaterThanOrEqual(255)
    expect(timers()).toBeLessThan(600)
    await virtual.advanceAsync(600)
    expect(through - start).toBeLessThanOrEqual(3_020)
  })
})
