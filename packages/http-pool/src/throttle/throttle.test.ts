import { expect, test } from 'vitest'
import { resolveThrottle, Throttle } from './throttle.ts'

test('rejects nothing while at least half is accepted', () => {
  const throttle = new Throttle(resolveThrottle({}), () => 0)
  for (let i = 0; i < 1_000; i++) {
    expect(throttle.admit(i)).toBe(true)
    if (i % 2 === 0) throttle.accepted(i)
  }
  expect(throttle.rejected).toBe(0)
})

test('rejects max(0, (requests - 2 * accepts) / (requests + 1))', () => {
  const throttle = new Throttle(resolveThrottle({}), () => 0.999)
  for (let i = 0; i < 100; i++) throttle.admit(0)
  for (let i = 0; i < 10; i++) throttle.accepted(0)
  expect(throttle.probability(0)).toBeCloseTo(80 / 101)
})

test('forgets after its window', () => {
  const throttle = new Throttle(resolveThrottle({ window: 10_000 }), () => 0.999)
  for (let i = 0; i < 100; i++) throttle.admit(0)
  expect(throttle.probability(9_000)).toBeGreaterThan(0.9)
  expect(throttle.probability(10_000)).toBe(0)
})
