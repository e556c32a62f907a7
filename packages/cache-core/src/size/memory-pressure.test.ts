import { VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Cache } from '../cache.ts'
import { memoryPressure } from './memory-pressure.ts'
import { presets } from './presets.ts'

test('scarce memory halves the cache, then closes it, and gives the limits back afterwards', () => {
  const clock = new VirtualClock()
  let share = 0.5
  using cache = new Cache<number, number>({
    clock,
    maxEntries: 1_000,
    memoryPressure: memoryPressure({
      shrinkAt: 0.7,
      stopAt: 0.85,
      interval: 100,
      usage: () => share,
    }),
  })
  for (let key = 0; key < 1_000; key++) cache.set(key, key)
  clock.advance(100)
  expect(cache.size).toBe(1_000)
  share = 0.75
  clock.advance(100)
  expect(cache.size).toBe(500)
  clock.advance(100)
  expect(cache.size).toBe(250)
  share = 0.9
  clock.advance(100)
  expect(cache.size).toBe(125)
  cache.set(-1, -1)
  expect(cache.has(-1)).toBe(false)
  const [held] = cache.keys()
  cache.set(held!, 7)
  expect(cache.get(held!)).toBe(7)
  share = 0.2
  clock.advance(100)
  for (let key = 0; key < 2_000; key++) cache.set(key, key)
  expect(cache.size).toBe(1_000)
})

test('byte limits shrink too, and a resize under pressure waits', () => {
  const clock = new VirtualClock()
  let share = 0.9
  using cache = new Cache<number, number>({
    clock,
    maxBytes: 1_000,
    weigher: () => 10,
    memoryPressure: memoryPressure({ shrinkAt: 0.8, stopAt: 1, interval: 10, usage: () => share }),
  })
  for (let key = 0; key < 100; key++) cache.set(key, key)
  clock.advance(10)
  expect(cache.stats().bytes).toBe(500)
  cache.resize({ maxBytes: 2_000 })
  share = 0
  clock.advance(10)
  for (let key = 0; key < 300; key++) cache.set(key, key)
  expect(cache.stats().bytes).toBe(2_000)
})

test('the real measures are shares', () => {
  const clock = new VirtualClock()
  using cache = new Cache<string, string>({ ...presets.production, clock })
  cache.set('a', 'x')
  clock.advance(1_000)
  expect(cache.stats().bytes).toBeGreaterThan(20)
})
