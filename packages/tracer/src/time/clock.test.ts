import { afterEach, expect, test, vi } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { alwaysOff } from '../sampling/samplers.ts'
import { Tracer } from '../tracer/tracer.ts'
import { epochClock } from './clock.ts'

afterEach(() => vi.restoreAllMocks())

/** The epoch after some readings: each one during which the process had to wait for its turn changes nothing. */
function settledEpoch(): number {
  for (let i = 0; i < 100; i++) epochClock.epoch()
  return epochClock.epoch()
}

test('time is monotonic, in fractions of milliseconds, and on the wall clock once the epoch is added', () => {
  const readings = Array.from({ length: 10_000 }, () => epochClock.now())
  for (let i = 1; i < readings.length; i++) {
    expect(readings[i]!).toBeGreaterThanOrEqual(readings[i - 1]!)
  }
  const steps = new Set(readings.map(reading => reading % 1))
  expect(steps.size).toBeGreaterThan(1_000)
  const before = Date.now()
  const now = epochClock.epoch() + epochClock.now()
  // A millisecond of rounding on top of the drift that the anchor tolerates.
  expect(now).toBeGreaterThan(before - 6)
  expect(now).toBeLessThan(Date.now() + 6)
})

test('the epoch follows a step of the wall clock, not its rounding, and stays on whole microseconds', () => {
  const before = epochClock.epoch()
  const wall = Date.now
  const step = vi.spyOn(Date, 'now')
  step.mockImplementation(() => wall() + 3)
  expect(Math.abs(epochClock.epoch() - before)).toBeLessThanOrEqual(6)
  step.mockImplementation(() => wall() + 60_000)
  const after = settledEpoch()
  expect(Math.abs(after - before - 60_000)).toBeLessThan(7)
  expect(Math.round(after * 1_000)).toBeCloseTo(after * 1_000, 1)
  step.mockRestore()
  expect(Math.abs(settledEpoch() - before)).toBeLessThan(7)
})

test('a wait between the readings is not taken for a step', () => {
  const before = epochClock.epoch()
  const wall = Date.now
  vi.spyOn(Date, 'now').mockImplementation(() => {
    const now = wall()
    // The process gets its turn again twenty milliseconds after it has read the wall clock.
    const end = epochClock.now() + 20
    while (epochClock.now() < end);
    return now
  })
  expect(Math.abs(epochClock.epoch() - before)).toBeLessThanOrEqual(6)
})

test('a recorded span reads the clock twice; one that is not recorded neither reads it nor its attributes', () => {
  let readings = 0
  const clock = { now: () => ++readings, setTimer: () => ({ cancel() {} }) }
  const exporter = new MemoryExporter()
  const recording = new Tracer({ exporter, clock, signals: [] })
  readings = 0
  recording.startSpan('one').setAttribute('a', 1).end()
  expect(readings).toBe(2)

  const dropping = new Tracer({ exporter, clock, signals: [], sampler: alwaysOff })
  const attributes = {
    get a(): number {
      throw new Error('read')
    },
  }
  readings = 0
  const root = dropping.startSpan('root', { attributes })
  const child = dropping.startSpan('child', { parent: root, attributes })
  child.setAttributes(attributes).addEvent('event', attributes).end()
  root.recordException(new Error('x'))
  root.end()
  expect(readings).toBe(0)
})
