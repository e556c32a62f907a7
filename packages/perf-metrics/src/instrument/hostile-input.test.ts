import { describe, expect, it } from 'vitest'
import { LabelError, Registry } from '../index.ts'

/** What JavaScript would turn into a number, add up as text, or throw over. */
const HOSTILE: readonly unknown[] = [
  null,
  '5',
  '',
  true,
  5n,
  [],
  [7],
  {},
  { valueOf: () => 5 },
  new Date(5),
  Symbol('s'),
  () => 5,
  Number.NaN,
]

describe('amounts that add up to more than a number can hold', () => {
  it('are counted and dropped, so that no count is infinite for good', () => {
    const metrics = new Registry({ activeSpan: () => undefined })
    const counter = metrics.counter('c_total')
    const updown = metrics.upDownCounter('u')
    const total = metrics.counter('t_total')
    for (let i = 0; i < 2; i++) {
      counter.inc(Number.MAX_VALUE)
      updown.inc(Number.MAX_VALUE)
    }
    updown.dec(Number.MAX_VALUE)
    updown.inc(2)
    total.inc(Number.MAX_VALUE)
    total.observeTotal(Number.MAX_VALUE)
    expect([counter.value, updown.value, total.value]).toEqual([
      Number.MAX_VALUE,
      2,
      Number.MAX_VALUE,
    ])
    expect(metrics.toPrometheus()).toContain(
      'millrace_metrics_rejected_total{metric="c_total"} 1\n',
    )
  })
})

describe('what is no number', () => {
  it('is counted and dropped by every instrument, never recorded', () => {
    const metrics = new Registry()
    const counter = metrics.counter('c_total')
    const updown = metrics.upDownCounter('u')
    const gauge = metrics.gauge('g')
    const histogram = metrics.histogram('h', { recent: 10 })
    const timing = metrics.timing('t_seconds')
    counter.inc(2)
    updown.inc(2)
    gauge.set(2)
    histogram.observe(2)
    timing.record(2000)
    for (const value of HOSTILE as number[]) {
      counter.inc(value)
      counter.observeTotal(value)
      updown.inc(value)
      updown.dec(value)
      gauge.set(value)
      gauge.inc(value)
      gauge.dec(value)
      histogram.observe(value)
      timing.record(value)
    }
    expect([counter.value, updown.value, gauge.value]).toEqual([2, 2, 2])
    expect([histogram.count, histogram.sum, histogram.recent()!.count]).toEqual([1, 2, 1])
    expect(timing.stats()).toMatchObject({ count: 1, total: 2000 })
    const text = metrics.toPrometheus()
    const rejected = (metric: string) =>
      Number(new RegExp(`rejected_total\\{metric="${metric}"\\} (\\d+)`).exec(text)?.[1])
    const each = HOSTILE.length
    expect(['c_total', 'u', 'g', 'h', 't_seconds'].map(rejected)).toEqual([
      2 * each,
      2 * each,
      3 * each,
      each,
      each,
    ])
  })

  it('is dropped by a counter that keeps examples too', () => {
    const span = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
    const counter = new Registry({ activeSpan: () => span }).counter('c_total')
    for (const value of HOSTILE as number[]) counter.inc(value)
    expect(counter.value).toBe(0)
  })
})

describe('labels that no format can express', () => {
  it('are counted and dropped, and refused when bound', () => {
    const metrics = new Registry()
    const counter = metrics.counter('c_total', { labels: ['a'] })
    counter.inc({ a: '\ud800' })
    counter.inc({ a: '\udfff' })
    counter.inc({ a: '\ufffd' })
    const text = metrics.toPrometheus()
    expect(text).toContain('c_total{a="\ufffd"} 1\n')
    expect(text).toContain('mislabelled_total{metric="c_total"} 2\n')
    expect(() => counter.labels({ a: '\ud800' })).toThrow('well-formed')
  })
})

describe('labels that cannot be read', () => {
  const boom = (): never => {
    throw new Error('of the program')
  }
  const { proxy: revoked, revoke } = Proxy.revocable({}, {})
  revoke()
  const unreadable = [
    Object.defineProperty({ a: 'x' }, 'b', { get: boom, enumerable: true }),
    Object.defineProperty({ b: 'x' }, 'a', { get: boom, enumerable: true }),
    new Proxy({}, { get: boom }),
    new Proxy({ a: 'z', b: 'y' }, { ownKeys: boom }),
    revoked,
    { a: { toString: boom }, b: 'y' },
    { a: Symbol('s'), b: 'y' },
  ] as never[]

  it('are counted and dropped by updates of every kind, which never throw', () => {
    const metrics = new Registry()
    const labels = ['a', 'b'] as const
    const counter = metrics.counter('c_total', { labels })
    const updown = metrics.upDownCounter('u', { labels })
    const gauge = metrics.gauge('g', { labels })
    const histogram = metrics.histogram('h', { labels })
    const timing = metrics.timing('t_seconds', { labels })
    const updates = (given: never) => {
      counter.inc(given)
      updown.inc(given)
      updown.dec(given)
      gauge.set(given, 1)
      gauge.inc(given)
      gauge.dec(given)
      histogram.observe(given, 1)
      timing.record(given, 1)
      expect(timing.time(given, () => 7)).toBe(7)
    }
    // Often enough for what is remembered of the last calls.
    for (let i = 0; i < 10; i++) {
      for (const given of unreadable) updates(given)
      updates({ a: 'x', b: 'y' } as never)
    }
    const text = metrics.toPrometheus()
    const dropped = 10 * unreadable.length
    for (const [metric, each] of Object.entries({ c_total: 1, u: 2, g: 3, h: 1, t_seconds: 2 })) {
      expect(text).toContain(
        `millrace_metrics_mislabelled_total{metric="${metric}"} ${each * dropped}\n`,
      )
    }
    expect(counter.labels({ a: 'x', b: 'y' }).value).toBe(10)
    expect(text.match(/^c_total\{/gm)).toHaveLength(1)
  })

  it.each([...unreadable.keys()])('are refused when they are bound (%i)', i => {
    const metrics = new Registry()
    const counter = metrics.counter('c_total', { labels: ['a', 'b'] })
    expect(() => counter.labels(unreadable[i]!)).toThrow(LabelError)
  })
})

describe('an active span that cannot be read', () => {
  const boom = (): never => {
    throw new Error('of the program')
  }
  it.each([
    ['throws', boom],
    ['has a getter that throws', () => Object.defineProperty({}, 'traceId', { get: boom })],
    ['is null', () => null],
    ['is a text', () => 'span'],
    [
      'has ids that are no text',
      () => ({ traceId: { toString: () => 'a'.repeat(32) }, spanId: 'b'.repeat(16) }),
    ],
  ])('is no example where it %s, and updates count', (_, activeSpan) => {
    const metrics = new Registry({ activeSpan: activeSpan as never })
    metrics.counter('c_total').inc(2)
    metrics.histogram('h').observe(3)
    const text = metrics.toOpenMetrics()
    expect(text).toContain('c_total 2')
    expect(text).toContain('h_sum 3')
    expect(text).not.toContain('trace_id')
  })
})

describe('values next to the largest double', () => {
  it('have finite quantiles, in all windows and schemas', () => {
    const metrics = new Registry()
    for (const maxBuckets of [80, 640]) {
      const histogram = metrics.histogram(`h${maxBuckets}`, { maxBuckets })
      for (const value of [1e-30, 1, Number.MAX_VALUE, Number.MAX_VALUE * 0.999]) {
        histogram.observe(value)
      }
      for (const q of [0.5, 0.9, 0.99, 1]) expect(histogram.quantile(q)).toBeLessThan(Infinity)
      expect(metrics.window(histogram, 60_000).p99).toBeLessThan(Infinity)
    }
  })
})
