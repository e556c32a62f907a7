import { expect, test } from 'vitest'
import { Standstill } from './standstill.ts'

function standStill(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

test('tells the longest time without a turn since it was started anew', () => {
  const standstill = new Standstill()
  standStill(300)
  standStill(1)
  const { longest } = standstill
  expect(longest).toBeGreaterThan(250)
  standStill(60)
  expect(standstill.longest).toBeGreaterThanOrEqual(longest)
  standstill.restart()
  standStill(30)
  expect(standstill.longest).toBeGreaterThan(0)
  standstill.close()
})
