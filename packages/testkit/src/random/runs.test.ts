import { afterEach, expect, test, vi } from 'vitest'
import { runs } from './runs.ts'
import { seededRandom } from './seeded-random.ts'

afterEach(() => vi.unstubAllEnvs())

test('runs follows MILLRACE_TEST_SCALE and never reaches zero', () => {
  vi.stubEnv('MILLRACE_TEST_SCALE', undefined)
  expect(runs(100)).toBe(100)
  vi.stubEnv('MILLRACE_TEST_SCALE', '0.001')
  expect(runs(100)).toBe(1)
  vi.stubEnv('MILLRACE_TEST_SCALE', '20')
  expect(runs(100)).toBe(2_000)
})

test('a scale that is no number is refused, not ignored', () => {
  vi.stubEnv('MILLRACE_TEST_SCALE', 'much')
  expect(() => runs(1)).toThrow('Expected MILLRACE_TEST_SCALE to be a number above 0, got much')
})

test('seededRandom repeats per seed and spreads over [0, 1)', () => {
  const a = seededRandom(7)
  const b = seededRandom(7)
  const first = Array.from({ length: 1_000 }, a)
  expect(Array.from({ length: 1_000 }, b)).toEqual(first)
  expect(Math.min(...first)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...first)).toBeLessThan(1)
  const mean = first.reduce((sum, value) => sum + value, 0) / first.length
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.05)
})
