import { VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { HeadSampling } from '../sampling/head-sampling.ts'
import { ratio } from '../sampling/samplers.ts'
import { IdSource } from '../span/ids/id-source.ts'
import { Tracer } from '../tracer/tracer.ts'
import { OverheadGovernor } from './overhead-governor.ts'

test('lowers the share of traces until the budget holds, and raises it when there is room', () => {
  const clock = new VirtualClock()
  const head = new HeadSampling(ratio(1))
  const governed = { started: 0, drain: { busy: 0 }, head, costPerSpan: 0.001 }
  const governor = new OverheadGovernor(0.005, governed as never, clock)
  /** A second in which so many spans were wanted, of which the governor allowed its share. */
  const second = (wanted: number) => {
    const spans = wanted * governor.allowed
    governed.started += spans
    governed.drain.busy += spans * 0.001
    clock.advance(1_000)
  }
  second(1_000)
  expect(governor).toMatchObject({ allowed: 1, overhead: expect.closeTo(0.002) })
  for (let i = 0; i < 10; i++) second(100_000)
  // 100,000 spans would cost 20 % of a core, the budget is 0.5 %.
  expect(governor.overhead).toBeCloseTo(0.005, 3)
  expect(governor.allowed).toBeCloseTo(0.025, 3)
  for (let i = 0; i < 30; i++) second(1_000)
  expect(governor.allowed).toBe(1)
  governor.close()
  expect(clock.pending).toBe(0)
})

describe('when time does not pass as it should', () => {
  /** A governor whose clock and timer the test moves. */
  function governedBy(budget: number) {
    let now = 0
    let measure = () => {}
    const clock = {
      now: () => now,
      setTimer(callback: () => void) {
        measure = callback
        return { cancel() {} }
      },
    }
    const governed = {
      started: 0,
      drain: { busy: 0 },
      head: new HeadSampling(ratio(1)),
      costPerSpan: 0.001,
    }
    const governor = new OverheadGovernor(budget, governed as never, clock)
    const after = (milliseconds: number, spans: number) => {
      now += milliseconds
      governed.started += spans
      measure()
      return [governor.overhead, governor.allowed]
    }
    return after
  }

  test.each([0, -1, -3_600_000])('a clock that moves by %i ms changes nothing', step => {
    const after = governedBy(0.005)
    const busy = after(1_000, 10_000)
    expect(busy).toEqual([0.01, 0.5])
    expect(after(step, 10_000)).toEqual(busy)
    // From there on the clock counts as before.
    expect(after(1_000, 5_000)).toEqual([0.005, 0.5])
  })

  test('a process that did not run for an hour allows one step more', () => {
    const after = governedBy(0.005)
    expect(after(1_000, 10_000)[1]).toBe(0.5)
    expect(after(3_600_000, 5_000)[1]).toBe(0.625)
  })

  test('a loop so slow that periods are seconds long is measured over all of them', () => {
    const after = governedBy(0.005)
    for (let i = 0; i < 5; i++) expect(after(7_000, 70_000)[0]).toBeCloseTo(0.01)
    expect(after(1, 5)).toEqual([0.005, expect.any(Number)])
  })
})

test('traces that are kept under a budget say with which probability', () => {
  const head = new HeadSampling(ratio(0.5))
  head.limit(0.5)
  const ids = new IdSource()
  const decided = Array.from({ length: 4_000 }, () => head.root(ids, ids.next(), 'root', undefined))
  const kept = decided.filter(trace => trace !== undefined)
  expect(kept.length).toBeGreaterThan(850)
  expect(kept.length).toBeLessThan(1_150)
  expect(new Set(kept.map(trace => trace?.state?.serialize()))).toEqual(new Set(['ot=th:c']))
  head.limit(1)
  expect(head.root(ids, ids.next(), 'root', undefined)?.state?.serialize() ?? 'ot=th:8').toBe(
    'ot=th:8',
  )
})

test('a tracer measures itself and stops measuring when it is closed', async () => {
  const clock = new VirtualClock()
  const tracer = new Tracer({ exporter: new MemoryExporter(), signals: [], clock, budget: 1e-9 })
  for (let i = 0; i < 1_000; i++) tracer.startSpan('s').end()
  clock.advance(1_000)
  expect(tracer.stats().overhead).toBeGreaterThan(1e-9)
  expect(tracer.stats().allowed).toBe(0.001)
  await tracer.close()
  expect(clock.pending).toBe(0)
})
