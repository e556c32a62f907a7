import { expect, test } from 'vitest'
import { retainedBytes } from './retained-bytes.ts'

test('counts what stays alive and not what was only used on the way', async () => {
  const { bytes, built } = await retainedBytes(() => {
    let garbage = ''
    for (let i = 0; i < 100_000; i++) garbage = `${i}${garbage}`.slice(0, 100)
    return [new Float64Array(1_250_000), garbage.length]
  })
  expect(built).toHaveLength(2)
  // 10 MB, and some room: the test runner itself keeps and frees a few hundred kB meanwhile.
  expect(bytes).toBeGreaterThan(9_000_000)
  expect(bytes).toBeLessThan(11_000_000)
})
