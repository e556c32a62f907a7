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
