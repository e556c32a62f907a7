import { resolveOptions } from '@millrace/kit'
import { expect, test } from 'vitest'
import { THROTTLE_RULES, Throttle } from './throttle.ts'

const always = (): number => 0
const never = (): number => 0.999_999

test('rejects nothing while at least half is accepted', () => {
  const throttle = new Throttle(resolveOptions('throttle', {}, THROTTLE_RULES), always)
  for (let i = 0; i < 1_000; i++) {
    expect(throttle.admit(i)).toBe(true)
    throttle.settled(i % 2 === 0, i)
  }
  expect(throttle.rejected).toBe(0)
})

test('rejects nothing of what starts together', () => {
  const throttle = new Throttle(resolveOptions('throttle', {}, THROTTLE_RULES), always)
  for (let i = 0; i < 1_000; i++) expect(throttle.admit(0)).toBe(true)
  for (let i = 0; i < 1_000; i++) throttle.settled(true, 10)
  expect(throttle.probability(10)).toBe(0)
})

test('rejects max(0, (requests - 2 * accepts) / (requests + 1))', () => {
  const throttle = new Throttle(resolveOptions('throttle', {}, THROTTLE_RULES), never)
  for (let i = 0; i < 100; i++) {
    throttle.admit(0)
    throttle.settled(i < 10, 0)
  }
  expect(throttle.probability(0)).toBeCloseTo(80 / 101)
})

test('forgets after its window', () => {
  const throttle = new Throttle(
    resolveOptions('throttle', { window: 10_000 }, THROTTLE_RULES),
    never,
  )
  for (let i = 0; i < 100; i++) {
    throttle.admit(0)
    throttle.settled(false, 0)
  }
  expect(throttle.probability(9_000)).toBeGreaterThan(0.9)
  expect(throttle.probability(10_000)).toBe(0)
})
