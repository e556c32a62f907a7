import { setImmediate as nextTurn } from 'node:timers/promises'
import { monotonicClock } from '@millrace/kit'
import { expect, test } from 'vitest'
import { turnClock } from './turn-clock.ts'

/** Reads the clock, and blocks until another reading would differ. */
function readAndBlock(): number {
  const reading = turnClock.now()
  while (monotonicClock.now() === reading);
  return reading
}

test('what was queued when the clock was read shares its reading, what comes later does not', async () => {
  await nextTurn()
  const readings: number[] = []
  const read = () => readings.push(readAndBlock())
  queueMicrotask(read)
  queueMicrotask(() => {
    read()
    queueMicrotask(read)
  })
  await nextTurn()
  const [first, queuedWithIt, queuedAfterIt] = readings
  expect(queuedWithIt).toBe(first)
  expect(queuedAfterIt).toBeGreaterThan(first!)
})

test('callbacks of process.nextTick that wait share a reading, the next turn has its own', async () => {
  await nextTurn()
  const readings: number[] = []
  for (let i = 0; i < 3; i++) process.nextTick(() => readings.push(readAndBlock()))
  await nextTurn()
  expect(new Set(readings).size).toBe(1)
  expect(readAndBlock()).toBeGreaterThan(readings[0]!)
})
