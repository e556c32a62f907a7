import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { worstExcess } from '../testing/worst-excess.fixture.ts'
import { TokenBucket } from './token-bucket.ts'

type Step =
  | { do: 'advance'; ms: number }
  | { do: 'stall'; ms: number }
  | { do: 'try'; cost: number }
  | { do: 'acquire'; cost: number; timeout: number | undefined; priority: number }
  | { do: 'abort'; which: number }
  | { do: 'refund'; share: number }

const cost = fc.integer({ min: 1, max: 4 })
const acquire = fc.record({
  do: fc.constant('acquire' as const),
  cost,
  timeout: fc.option(fc.integer({ min: 0, max: 2_000 }), { nil: undefined }),
  priority: fc.constantFrom(5, 5, 5, 0, 9),
})
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant('advance' as const),
      ms: fc.double({ min: 0, max: 700, noNaN: true }),
    }),
    fc.record({ do: fc.constant('stall' as const), ms: fc.integer({ min: 0, max: 300 }) }),
    fc.record({ do: fc.constant('try' as const), cost }),
    acquire,
    acquire,
    fc.record({ do: fc.constant('abort' as const), which: fc.nat(20) }),
    fc.record({
      do: fc.constant('refund' as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  ),
  { maxLength: 60 },
)
const limits = fc.record({
  rate: fc.double({ min: 0.5, max: 200, noNaN: true }),
  burst: fc.integer({ min: 4, max: 20 }),
  catchUp: fc.constantFrom(0, 25, 100),
})

/** Runs the steps and then lets all waits end; returns the grants as [time, cost], refunds as negative costs. */
async function simulate(
  { rate, burst, catchUp }: { rate: number; burst: number; catchUp: number },
  plan: Step[],
  change?: (bucket: TokenBucket, step: number) => void,
) {
  const clock = new VirtualClock()
  const bucket = new TokenBucket({ rate, burst, catchUp, clock })
  const flows: [number, number][] = []
  const order: { priority: number; id: number }[] = []
  const controllers: AbortController[] = []
  let settled = 0
  let id = 0
  for (const [index, step] of plan.entries()) {
    if (step.do === 'advance') await clock.advanceAsync(step.ms)
    else if (step.do === 'stall') clock.jumpTo(clock.now() + step.ms)
    else if (step.do === 'try') {
      if (bucket.tryAcquire(step.cost)) flows.push([clock.now(), step.cost])
    } else if (step.do === 'acquire') {
      const controller = new AbortController()
      controllers.push(controller)
      const { signal } = controller
      const { cost, timeout, priority } = step
      const mine = id++
      bucket.acquire(cost, { timeout, priority, signal }).then(
        () => {
          settled++
          flows.push([clock.now(), cost])
          order.push({ priority, id: mine })
        },
        () => settled++,
      )
      await clock.advanceAsync(0)
    } else if (step.do === 'abort') {
      controllers[step.which]?.abort()
    } else {
      await clock.advanceAsync(0)
      const back = Math.floor(step.share * bucket.stats().granted)
      bucket.refund(back)
      flows.push([clock.now(), -back])
      // Who was let through by it notes the time before a stall.
      await clock.advanceAsync(0)
    }
    change?.(bucket, index)
  }
  await clock.advanceAsync(1e7)
  expect(settled).toBe(controllers.length)
  expect(clock.pending).toBe(0)
  return { flows, order, bucket }
}

describe('TokenBucket, whatever happens', () => {
  test('grants less refunds stay within the bound in every window, and every wait ends', () =>
    fc.assert(
      fc.asyncProperty(limits, steps, async (limit, plan) => {
        const { flows } = await simulate(limit, plan)
        const perMs = limit.rate / 1_000
        const allowance = Math.max(limit.burst, limit.catchUp * perMs)
        expect(worstExcess(flows, allowance, perMs)).toBeLessThan(1e-3)
      }),
      { numRuns: runs(300) },
    ))

  const changes = fc.array(
    limits.map(({ rate, burst }) => ({ rate, burst })),
    { minLength: 1, maxLength: 60 },
  )

  test('within a priority those who are served are served in order of arrival, over changes too', () =>
    fc.assert(
      fc.asyncProperty(limits, steps, fc.option(changes), async (limit, plan, changed) => {
        const { order } = await simulate(limit, plan, (bucket, step) => {
          if (changed && step % 3 === 0) bucket.setLimits(changed[step % changed.length]!)
        })
        const last = new Map<number, number>()
        for (const { priority, id } of order) {
          expect(id).toBeGreaterThan(last.get(priority) ?? -1)
          last.set(priority, id)
        }
      }),
      { numRuns: runs(200) },
    ))

  test('no wake-up is lost over changes of rate and burst', () =>
    fc.assert(
      fc.asyncProperty(limits, steps, changes, async (limit, plan, changed) => {
        await simulate(limit, plan, (bucket, step) => {
          if (step % 3 === 0) bucket.setLimits(changed[step % changed.length]!)
        })
      }),
      { numRuns: runs(200) },
    ))

  test('a caller that is told to come again after a time finds its tokens then, and not 1 ms before', () =>
    fc.assert(
      fc.asyncProperty(
        limits,
        fc.array(cost, { minLength: 1, maxLength: 30 }),
        async (limit, costs) => {
          const clock = new VirtualClock()
          const bucket = new TokenBucket({ ...limit, clock })
          for (const cost of costs) {
            const wait = bucket.estimateWait(cost)
            if (wait > 1) {
              clock.advance(wait - 1)
              expect(bucket.tryAcquire(cost)).toBe(false)
              clock.advance(1)
            } else clock.advance(wait)
            expect(bucket.tryAcquire(cost)).toBe(true)
          }
        },
      ),
      { numRuns: runs(200) },
    ))
})
