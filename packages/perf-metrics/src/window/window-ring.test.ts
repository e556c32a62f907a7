import { seededRandom, VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { Registry } from '../index.ts'
import type { Series } from '../instrument/series.ts'
import { quantileError } from '../store/exponential.ts'
import { ringOf, WINDOWS } from './window-ring.ts'
import { windowRate, windowStats } from './window-stats.ts'

const MINUTE = 60_000

describe('windows', () => {
  it('give the rate of the last minute, not of the past', () => {
    const clock = new VirtualClock(1_000_000)
    const metrics = new Registry({ clock })
    const counter = metrics.counter('x_total')
    for (let second = 0; second < 1200; second++) {
      counter.inc(second < 1080 ? 10 : 2)
      clock.advance(1000)
    }
    expect(metrics.window(counter, MINUTE).rate).toBeCloseTo(2, 5)
    const five = metrics.window(counter, 5 * MINUTE)
    expect(five.span).toBeGreaterThanOrEqual(5 * MINUTE)
    expect(five.span).toBeLessThanOrEqual(6 * MINUTE)
    expect(five.rate).toBeCloseTo((2 * 120 + 10 * (five.span / 1000 - 120)) / (five.span / 1000), 0)
    expect(metrics.window(counter, 15 * MINUTE).count).toBeGreaterThan(2 * 120 + 10 * 770)
  })

  it('have no more span than the series has age', () => {
    const clock = new VirtualClock(1_000_000)
    const metrics = new Registry({ clock })
    const counter = metrics.counter('x_total')
    clock.advance(1000)
    counter.inc(50)
    clock.advance(19_000)
    const { span, rate } = metrics.window(counter, 15 * MINUTE)
    expect(span).toBeLessThanOrEqual(20_000)
    expect(rate).toBeCloseTo((50 * 1000) / span, 6)
  })

  it('give the quantiles of what was observed within them', () => {
    const clock = new VirtualClock(1_000_000)
    const metrics = new Registry({ clock })
    const timing = metrics.timing('x_seconds')
    const random = seededRandom(1)
    const recent: { at: number; value: number }[] = []
    for (let second = 0; second < 1000; second++) {
      const value = 10 * (second < 940 ? 1 : 40) * (1 + random())
      timing.record(value)
      recent.push({ at: clock.now(), value: value / 1000 })
      clock.advance(1000)
    }
    const stats = metrics.window(timing, MINUTE)
    const inside = recent
      .filter(({ at }) => at >= clock.now() - stats.span)
      .map(({ value }) => value)
      .sort((a, b) => a - b)
    expect(stats.count).toBe(inside.length)
    const exact = inside[Math.ceil(inside.length * 0.95) - 1]!
    expect(Math.abs(stats.p95 - exact) / exact).toBeLessThanOrEqual(quantileError(5))
    expect(metrics.window(timing, 15 * MINUTE).p50).toBeLessThan(0.02)
  })

  it('empty themselves when nothing happens, also across a long sleep', () => {
    const clock = new VirtualClock(1_000_000)
    const metrics = new Registry({ clock })
    const histogram = metrics.histogram('h')
    histogram.observe(1)
    clock.advance(20 * MINUTE)
    expect(metrics.window(histogram, 15 * MINUTE)).toMatchObject({ count: 0, rate: 0, p99: NaN })
    histogram.observe(1)
    metrics.close()
    clock.advance(10 * 24 * 60 * MINUTE)
    expect(metrics.window(histogram, MINUTE).count).toBe(0)
  })

  it('are part of the JSON export, unless switched off', () => {
    const json = (windows: boolean): string => {
      const metrics = new Registry({ windows })
      metrics.histogram('h').observe(2)
      return JSON.stringify(metrics)
    }
    expect(JSON.parse(json(true)).metrics[0].series[0].windows['5m']).toMatchObject({ count: 1 })
    expect(json(false)).not.toContain('windows')
  })

  it('give the same rate with quantiles and without', () => {
    const clock = new VirtualClock(1_000_000)
    const random = seededRandom(7)
    const metrics = new Registry({ clock })
    const counter = metrics.counter('x_total')
    const histogram = metrics.histogram('h')
    const idle = metrics.histogram('idle')
    for (let step = 0; step < 400; step++) {
      if (random() < 0.6) counter.inc(Math.floor(random() * 100))
      for (let n = random() < 0.5 ? 0 : random() * 20; n > 0; n--) histogram.observe(random())
      clock.advance(Math.floor(random() ** 4 * 200_000))
      for (const instrument of [counter, histogram, idle] as unknown as Series[]) {
        for (const window of WINDOWS) {
          const now = clock.now()
          ringOf(instrument, now)
          const rate = windowRate(instrument, window, now)
          expect(rate).toBe(windowStats(instrument, window, now)!.rate)
        }
      }
    }
    expect(metrics.window(histogram, 900_000).count).toBeGreaterThan(0)
  })

  it('of a series that none were kept of span its life', () => {
    const clock = new VirtualClock(1_000_000)
    const metrics = new Registry({ clock, windows: false })
    const counter = metrics.counter('x_total')
    counter.inc(50)
    clock.advance(3_600_000)
    const series = counter as unknown as Series
    expect(windowRate(series, MINUTE, clock.now())).toBeCloseTo(50 / 3600, 9)
    expect(series.window).toBeUndefined()
  })

  it('refuse other spans', () => {
    const metrics = new Registry()
    expect(() => metrics.window(metrics.counter('x'), 1000)).toThrow(
      'Expected `milliseconds` to be one of 60000, 300000, 900000, got a positive integer of 4 digits',
    )
  })
})

describe('the last values', () => {
  it('give exact statistics where kept', () => {
    const histogram = new Registry().histogram('h', { recent: 100 })
    for (let value = 1; value <= 250; value++) histogram.observe(value)
    expect(histogram.recent()).toEqual({
      count: 100,
      mean: 200.5,
      min: 151,
      max: 250,
      p50: 200,
      p95: 245,
      p99: 249,
    })
    expect(new Registry().histogram('h').recent()).toBeUndefined()
  })
})

describe('a window of what has none', () => {
  it('is refused by name', () => {
    const metrics = new Registry()
    const family = metrics.counter('f_total', { labels: ['a'] })
    const timings = metrics.timing('t_seconds', { labels: ['a'] })
    for (const given of [family, timings, metrics.gauge('g'), {}] as never[]) {
      expect(() => metrics.window(given, MINUTE)).toThrow(
        'Expected `instrument` to be a counter, histogram or timing, whose labels are bound if it has any',
      )
    }
    expect(metrics.window(family.labels({ a: 'x' }), MINUTE).count).toBe(0)
    const off = new Registry({ enabled: false })
    expect(off.window(off.counter('f_total'), MINUTE).count).toBe(0)
  })
})
