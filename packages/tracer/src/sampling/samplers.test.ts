import { InvalidOptionError } from '@millrace/kit'
import { VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { W3CTraceState } from '../span/ids/trace-state.ts'
import { Tracer } from '../tracer/tracer.ts'
import { DROP, RECORD_AND_SAMPLE, type Sampler, type SamplingResult } from './sampler.ts'
import { rateLimited } from './samplers.ts'

function setup(tracesPerSecond: number) {
  const clock = new VirtualClock()
  const tracer = new Tracer({
    exporter: new MemoryExporter(),
    clock,
    signals: [],
    sampler: rateLimited(tracesPerSecond, clock),
  })
  /** How many of so many new traces are recorded. */
  const recorded = (count: number) => {
    let kept = 0
    for (let i = 0; i < count; i++) {
      const span = tracer.startSpan('root', { parent: null })
      if (span.isRecording()) kept++
      span.end()
    }
    return kept
  }
  return { clock, tracer, recorded }
}

describe('a rate-limited sampler', () => {
  test('keeps so many new traces a second, however many come', () => {
    const { clock, recorded } = setup(10)
    let kept = recorded(1_000)
    expect(kept).toBe(10)
    for (let second = 1; second <= 20; second++) {
      for (let slice = 0; slice < 20; slice++) {
        clock.advance(50)
        kept += recorded(5)
      }
      expect(kept).toBe(10 + second * 10)
    }
  })

  test('saves up no more than a second', () => {
    const { clock, recorded } = setup(10)
    recorded(100)
    clock.advance(60_000)
    expect(recorded(100)).toBe(10)
    clock.advance(100)
    expect(recorded(100)).toBe(1)
  })

  test('below one a second keeps one each time that it has become due', () => {
    const { clock, recorded } = setup(0.5)
    expect(recorded(10)).toBe(1)
    clock.advance(1_999)
    expect(recorded(10)).toBe(0)
    clock.advance(1)
    expect(recorded(10)).toBe(1)
  })

  test('is not asked about spans with a parent, which follow it', () => {
    const { tracer, recorded } = setup(1)
    const root = tracer.startSpan('root', { parent: null })
    const dropped = tracer.startSpan('dropped', { parent: null })
    for (let i = 0; i < 10; i++) {
      expect(tracer.startSpan('child', { parent: root }).isRecording()).toBe(true)
      expect(tracer.startSpan('child', { parent: dropped }).isRecording()).toBe(false)
    }
    expect(recorded(1)).toBe(0)
  })

  test.each([0, -1, Number.NaN, Infinity])('refuses %d', value => {
    expect(() => rateLimited(value)).toThrow(InvalidOptionError)
    expect(() => rateLimited(value)).toThrow(
      'Expected `tracesPerSecond` to be a finite number above 0',
    )
  })
})

describe('a sampler of your own', () => {
  const decisions: Record<string, SamplingResult> = {
    kept: {
      decision: RECORD_AND_SAMPLE,
      attributes: { 'sampling.rule': 'kept', given: 'by the sampler' },
      traceState: new W3CTraceState('rule=kept'),
    },
    dropped: { decision: DROP, traceState: new W3CTraceState('rule=dropped') },
    'without a state': { decision: RECORD_AND_SAMPLE, traceState: null as never },
    'broken state': { decision: RECORD_AND_SAMPLE, traceState: { serialize: 5 } as never },
    'broken attributes': Object.defineProperty({ decision: RECORD_AND_SAMPLE }, 'attributes', {
      get() {
        throw new Error('not to be read')
      },
    }),
    'broken decision': Object.defineProperty({} as { decision: 1 }, 'decision', {
      get() {
        throw new Error('not to be read')
      },
    }),
  }
  const sampler = (parentBased: boolean): Sampler => ({
    description: 'by name',
    parentBased,
    sample: ({ name }) => decisions[name] ?? RECORD_AND_SAMPLE,
  })

  test.each([
    ['without a state', true],
    ['broken state', true],
    ['broken attributes', true],
    ['broken decision', false],
  ])('decides although the rest of its result is %s', (name, recorded) => {
    for (const parentBased of [true, false]) {
      const exporter = new MemoryExporter()
      const tracer = new Tracer({ exporter, signals: [], sampler: sampler(parentBased) })
      const root = tracer.startSpan(name)
      expect(root.isRecording()).toBe(recorded)
      expect(tracer.startSpan(name, { parent: root }).isRecording()).toBe(recorded)
      expect(root.spanContext().traceState).toBeUndefined()
    }
  })

  test.each([
    ['roots', true],
    ['roots, and every child', false],
  ])('may add attributes and tracestate to %s', async (_, parentBased) => {
    const exporter = new MemoryExporter()
    const tracer = new Tracer({ exporter, signals: [], sampler: sampler(parentBased) })
    const kept = tracer.startSpan('kept', { attributes: { given: 'at the start', own: 1 } })
    const dropped = tracer.startSpan('dropped')
    const plain = tracer.startSpan('plain', { parent: null })
    const child = tracer.startSpan('dropped', { parent: kept })
    expect(dropped.isRecording()).toBe(false)
    expect(dropped.spanContext()).toMatchObject({ traceFlags: 2 })
    expect(dropped.spanContext().traceState?.serialize()).toBe('rule=dropped')
    expect(child.isRecording()).toBe(parentBased)
    expect(child.spanContext().traceState?.serialize()).toBe(
      parentBased ? 'rule=kept' : 'rule=dropped',
    )
    expect(child.spanContext().traceId).toBe(kept.spanContext().traceId)
    for (const span of [child, plain, kept]) span.end()
    await tracer.flush()
    const byName = Object.fromEntries(exporter.spans.map(span => [span.name, span]))
    expect(byName.kept).toMatchObject({
      attributes: { given: 'by the sampler', own: 1, 'sampling.rule': 'kept' },
      traceState: 'rule=kept',
    })
    expect(byName.plain).toMatchObject({ attributes: {}, traceState: '' })
    if (parentBased) expect(byName.dropped).toMatchObject({ attributes: {} })
  })
})

test('a clock that is set back neither stops nor floods a rate-limited sampler', () => {
  let now = 10_000_000
  const limited = rateLimited(1, { now: () => now })
  const sample = () => limited.sample({} as never)
  expect(sample()).toBe(RECORD_AND_SAMPLE)
  now -= 3_600_000
  expect(sample()).toBe(DROP)
  now += 1_000
  expect(sample()).toBe(RECORD_AND_SAMPLE)
  expect(sample()).toBe(DROP)
})
