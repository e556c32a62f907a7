import { VirtualClock } from '@millrace/testkit'
import { Tracer } from '@millrace/tracer'
import { expect, test } from 'vitest'
import { SlowTraces } from './slow-traces.ts'

test('The slowest traces are kept, slowest first, and of those that are alike the two slowest', async () => {
  const slow = new SlowTraces()
  const clock = new VirtualClock()
  await using tracer = new Tracer({ service: 'test', exporter: slow, clock, signals: [] })
  const trace = (name: string, child: string, duration: number) =>
    tracer.span(name, () => tracer.span(child, () => clock.advance(duration)))
  for (let i = 0; i < 50; i++) trace('look up', 'wait', 100 + ((i * 7) % 50))
  for (let i = 0; i < 10; i++) trace(`job ${i}`, 'work', 10 + i)
  await tracer.flush()
  expect(slow.traces.map(({ duration }) => duration)).toEqual([149, 148, 19, 18, 17, 16, 15, 14])
  expect(slow.traces.map(({ spans }) => spans.at(-1)!.name).slice(0, 3)).toEqual([
    'look up',
    'look up',
    'job 9',
  ])
})

test('Begun anew with a lifetime, it forgets what was, and what has been longer ago than that', async () => {
  const slow = new SlowTraces()
  const clock = new VirtualClock(1_000_000)
  await using tracer = new Tracer({ service: 'test', exporter: slow, clock, signals: [] })
  const durations = async () => {
    await tracer.flush()
    return slow.traces.map(({ duration }) => duration)
  }
  const trace = (name: string, duration: number) => tracer.span(name, () => clock.advance(duration))
  trace('start', 9_000)
  expect(await durations()).toEqual([9_000])
  expect(slow.traces[0]!.began).toBe(1_000_000)
  slow.restart(60_000)
  trace('slow', 500)
  clock.advance(59_000)
  trace('quick', 1)
  expect(await durations()).toEqual([500, 1])
  clock.advance(1_000)
  trace('quicker', 2)
  expect(await durations()).toEqual([2, 1])
})
