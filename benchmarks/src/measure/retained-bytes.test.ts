import { expect, test } from 'vitest'
import { retainedBytes } from './retained-bytes.ts'

test('counts what stays alive and not what was only used on the way', async () => {
  const { bytes, built } = await retainedBytes(() => {
    let garbage = ''
    for (let i = 0; i < 100_000; i++) garbage = `${i}${garbage}`.slice(0, 100)
    return [new Float64Array(125_000), garbage.length]
  })
  expect(built).toHaveLength(2)
  expect(bytes).toBeGreaterThan(1_000_000)
  expect(bytes).toBeLessThan(1_300_000)
})
