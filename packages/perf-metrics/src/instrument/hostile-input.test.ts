import { describe, expect, it } from 'vitest'
import { Registry } from '../index.ts'

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
