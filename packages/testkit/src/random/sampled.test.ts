import { afterEach, expect, test, vi } from 'vitest'
import { sampled } from './sampled.ts'

afterEach(() => vi.unstubAllEnvs())

const cases = Array.from({ length: 100 }, (_, index) => index)

test.each([
  [undefined, 1, 100],
  ['0.2', 1, 20],
  ['0.001', 1, 1],
  [undefined, 0.25, 25],
  ['4', 0.25, 100],
  ['9', 0.25, 100],
])('at scale %s a share of %f is %i of 100, in their order', (scale, share, count) => {
  vi.stubEnv('MILLRACE_TEST_SCALE', scale)
  const chosen = sampled(cases, share)
  expect(chosen).toHaveLength(count)
  expect(chosen).toEqual([...new Set(chosen)].sort((a, b) => a - b))
})

test('many draws cover all', () => {
  vi.stubEnv('MILLRACE_TEST_SCALE', '0.1')
  const seen = new Set<number>()
  for (let i = 0; i < 200; i++) for (const one of sampled(cases)) seen.add(one)
  expect(seen.size).toBe(100)
})
