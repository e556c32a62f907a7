import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TokenBucket } from '../../bucket/token-bucket.ts'
import { InvalidOptionError } from '../../errors.ts'
import { FairOrder } from './fair-order.ts'
import { PriorityOrder } from './priority-order.ts'
import type { WaitOrder } from './wait-order.ts'

/** A bucket of 10 per second that is empty, so that all wait; `log` names who was served. */
function setUp(order: WaitOrder) {
  const clock = new VirtualClock()
  const bucket = new TokenBucket({ rate: 10, burst: 10, order, clock })
  bucket.tryAcquire(10)
  const log: string[] = []
  const wait = (name: string, options: object, cost = 1) =>
    bucket.acquire(cost, options).then(
      () => log.push(name),
      () => {},
    )
  return { clock, bucket, log, wait }
}

describe('PriorityOrder', () => {
  test('serves the more urgent first, and equals in order of arrival', async () => {
    const { clock, log, wait } = setUp(new PriorityOrder())
    for (const priority of [9, 5, 0, 5, 9, 0]) void wait(`${priority}`, { priority })
    await clock.advanceAsync(1_000)
    expect(log).toEqual(['0', '0', '5', '5', '9', '9'])
  })

  test('who waited long enough goes before the more urgent who came later', async () => {
    const { clock, log, wait } = setUp(new PriorityOrder({ ageAfter: 20 }))
    void wait('old', { priority: 9 })
    for (let i = 0; i < 20; i++) {
      void wait(`urgent ${i}`, { priority: 0 })
      await clock.advanceAsync(100)
    }
    // Nine steps of 20 ms: those who came within 180 ms of it go first, nobody after.
    expect(log.indexOf('old')).toBe(2)
  })

  test('strict priorities never age, and with ageAfter 0 there are none', async () => {
    const strict = setUp(new PriorityOrder({ ageAfter: Infinity }))
    const none = setUp(new PriorityOrder({ ageAfter: 0 }))
    for (const { clock, wait } of [strict, none]) {
      void wait('low', { priority: 9 })
      await clock.advanceAsync(10)
      for (let i = 0; i < 3; i++) void wait('high', { priority: 0 })
      await clock.advanceAsync(1_000)
    }
    expect(strict.log).toEqual(['high', 'high', 'high', 'low'])
    expect(none.log).toEqual(['low', 'high', 'high', 'high'])
  })

  test('refuses an age that is none', () => {
    expect(() => new PriorityOrder({ ageAfter: -1 })).toThrow(
      'Expected `ageAfter` to be a number of at least 0 or Infinity, got a negative integer of 1 digit',
    )
  })
})

test('an order serves one limiter', () => {
  const order = new PriorityOrder()
  setUp(order)
  expect(() => setUp(order)).toThrow('Expected `order` to be an order that no other limiter has')
})

describe('FairOrder', () => {
  test('a key that asks much does not delay one that asks little', async () => {
    const { clock, log, wait } = setUp(new FairOrder())
    for (let i = 0; i < 10; i++) void wait('greedy', { key: 'greedy' })
    for (let i = 0; i < 2; i++) void wait('modest', { key: 'modest' })
    await clock.advanceAsync(500)
    expect(log).toEqual(['greedy', 'modest', 'greedy', 'modest', 'greedy'])
  })

  test('shares by weight and cost', async () => {
    const { clock, log, wait } = setUp(new FairOrder({ weight: key => (key === 'gold' ? 3 : 1) }))
    for (let i = 0; i < 60; i++) {
      void wait('gold', { key: 'gold' })
      void wait('plain', { key: 'plain' })
      void wait('heavy', { key: 'heavy' }, 2)
    }
    await clock.advanceAsync(6_000)
    const count = (name: string) => log.filter(other => other === name).length
    // 60 tokens in shares of 3 : 1 : 1, of which the last pays two for each.
    expect(Math.abs(count('gold') - 36)).toBeLessThanOrEqual(2)
    expect(Math.abs(count('plain') - 12)).toBeLessThanOrEqual(2)
    expect(Math.abs(count('heavy') - 6)).toBeLessThanOrEqual(2)
  })

  test('a key saves nothing up while it is idle, and owes nothing for who left', async () => {
    const { clock, log, wait } = setUp(new FairOrder())
    for (let i = 0; i < 20; i++) void wait('busy', { key: 'busy' })
    const controller = new AbortController()
    void wait('gone', { key: 'late', signal: controller.signal })
    controller.abort()
    await clock.advanceAsync(1_000)
    for (let i = 0; i < 5; i++) void wait('late', { key: 'late' })
    await clock.advanceAsync(600)
    expect(log.slice(10)).toEqual(['late', 'busy', 'late', 'busy', 'late', 'busy'])
  })

  test('needs a key and a weight', async () => {
    const { bucket } = setUp(new FairOrder({ weight: () => 0 }))
    await expect(bucket.acquire()).rejects.toThrow('Expected `key` to be a string, got undefined')
    await expect(bucket.acquire({ key: 'a' })).rejects.toThrow(InvalidOptionError)
  })

  test('over any time in which two keys wait, their shares differ by no more than one cost each', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 40, maxLength: 40 }),
        fc.integer({ min: 1, max: 30 }),
        async (weightA, weightB, costs, seconds) => {
          const clock = new VirtualClock()
          const order = new FairOrder({ weight: key => (key === 'a' ? weightA : weightB) })
          const bucket = new TokenBucket({ rate: 1, burst: 3, order, clock })
          bucket.tryAcquire(3)
          const spent = { a: 0, b: 0 }
          for (const [index, cost] of costs.entries()) {
            const key = index % 2 === 0 ? 'a' : 'b'
            void bucket.acquire(cost, { key }).then(() => {
              spent[key] += cost
            })
          }
          await clock.advanceAsync(Math.min(seconds, 18) * 1_000)
          expect(Math.abs(spent.a / weightA - spent.b / weightB)).toBeLessThanOrEqual(
            3 / weightA + 3 / weightB,
          )
        },
      ),
      { numRuns: runs(100) },
    ))
})
