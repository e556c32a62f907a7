import { VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { extract } from '../propagation/carrier.ts'
import { StatusCode } from '../span/api/span.ts'
import { Tracer } from '../tracer/tracer.ts'
import type { TracerOptions } from '../tracer/tracer-options.ts'
import { DurationQuantile } from './duration-quantile.ts'
import { ratio } from './samplers.ts'

function setup(options: TracerOptions = {}) {
  const clock = new VirtualClock()
  const exporter = new MemoryExporter()
  const tracer = new Tracer({
    exporter,
    clock,
    signals: [],
    sampler: ratio(0),
    tail: {},
    ...options,
  })
  /** A trace of a root and a child; `fail` fails the child. */
  const trace = (name: string, duration: number, fail = false) => {
    const root = tracer.startSpan(name)
    const child = tracer.startSpan('child', { parent: root })
    if (fail) child.setStatus({ code: StatusCode.ERROR })
    clock.advance(duration)
    child.end()
    root.end()
    return root
  }
  const names = async () => {
    await tracer.flush()
    return exporter.spans.map(span => span.name)
  }
  return { tracer, exporter, clock, trace, names }
}

test('keeps failed traces whole, drops the rest without encoding them', async () => {
  const { tracer, exporter, trace, names } = setup()
  for (let i = 0; i < 50; i++) trace('fine', 10)
  trace('broken', 10, true)
  expect(await names()).toEqual(['child', 'broken'])
  expect(exporter.spans.every(span => span.traceFlags === 3 && span.traceState === 'ot=th:0')).toBe(
    true,
  )
  expect(tracer.stats()).toMatchObject({
    ended: 102,
    rejected: 100,
    exported: 2,
    held: 0,
    waiting: 0,
    poolFree: 1000,
  })
})

test('keeps a root that is slow for its name, and learns what slow is', async () => {
  const { trace, names } = setup()
  for (let i = 0; i < 300; i++) {
    trace('quick', 1 + (i % 10) / 10)
    trace('long', 100 + (i % 10))
  }
  expect(await names()).toEqual([])
  trace('quick', 5)
  trace('long', 105)
  trace('long', 300)
  expect(await names()).toEqual(['child', 'quick', 'child', 'long'])
})

test('keeps what the head sampled, with its probability, and roots slower than a bound', async () => {
  const { exporter, trace, names } = setup({ sampler: ratio(0.5), tail: { slowerThan: 50 } })
  for (let i = 0; i < 200; i++) trace('root', 10)
  const kept = (await names()).length / 2
  expect(kept).toBeGreaterThan(60)
  expect(kept).toBeLessThan(140)
  expect(exporter.spans[0]?.traceState).toBe('ot=th:8')
  exporter.spans.length = 0
  trace('root', 51)
  expect(await names()).toEqual(['child', 'root'])
  expect(exporter.spans[0]?.traceState).toBe('ot=th:0')
})

test('tells other processes the decision of the head', () => {
  const { trace } = setup({ sampler: ratio(0) })
  expect(trace('root', 1).spanContext().traceFlags & 1).toBe(0)
})

test('holds a trace from elsewhere until its roots here have ended', async () => {
  const { tracer, names } = setup()
  const parent = extract({
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`,
    tracestate: 'x=1',
  })
  const one = tracer.startSpan('one', { parent })
  const two = tracer.startSpan('two', { parent })
  one.setStatus({ code: StatusCode.ERROR })
  one.end()
  expect(await names()).toEqual([])
  two.end()
  expect(await names()).toEqual(['one', 'two'])
})

test('spans that end after the decision follow it', async () => {
  const { tracer, names } = setup()
  for (const [name, code] of [
    ['kept', StatusCode.ERROR],
    ['dropped', StatusCode.UNSET],
  ] as const) {
    const root = tracer.startSpan(name)
    const late = tracer.startSpan(`${name} late`, { parent: root })
    root.setStatus({ code })
    root.end()
    late.end()
  }
  expect(await names()).toEqual(['kept', 'kept late'])
})

test('holds no more than its limits, also without a pool', async () => {
  for (const pool of [1_000, 0]) {
    const { tracer, clock, names } = setup({ pool, tail: { maxSpans: 100, maxAge: 1_000 } })
    const root = tracer.startSpan('endless')
    for (let i = 0; i < 500; i++) tracer.startSpan('child', { parent: root }).end()
    expect(tracer.stats().held).toBeLessThanOrEqual(100)
    const other = tracer.startSpan('old')
    tracer.startSpan('old child', { parent: other }).end()
    clock.advance(1_001)
    tracer.startSpan('new').end()
    expect(tracer.stats()).toMatchObject({ held: 0, rejected: 502 })
    await tracer.close()
    expect(await names()).toEqual([])
  }
})

test('a quantile is at most an eighth too high and follows the present', () => {
  const quantile = new DurationQuantile(0.99)
  for (let i = 1; i <= 2_000; i++) quantile.add(i % 100)
  expect(quantile.estimate).toBeGreaterThanOrEqual(98)
  expect(quantile.estimate).toBeLessThanOrEqual(99 * 1.125)
  for (let i = 1; i <= 40_000; i++) quantile.add((i % 100) / 100)
  expect(quantile.estimate).toBeLessThan(1.2)
})
