import { VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { Registry, timed } from '../index.ts'

describe('values', () => {
  it('counts, but does not take, what is no amount', () => {
    const metrics = new Registry()
    const counter = metrics.counter('x_total')
    for (const amount of [-1, NaN, Infinity]) counter.inc(amount)
    const histogram = metrics.histogram('h')
    for (const value of [-1, NaN, Infinity, -Infinity]) histogram.observe(value)
    metrics.gauge('g').set(NaN)
    metrics.upDownCounter('u').inc(NaN)
    expect(counter.value).toBe(0)
    expect(histogram.count).toBe(0)
    const text = metrics.toPrometheus()
    expect(text).toContain('rejected_total{metric="x_total"} 3\n')
    expect(text).toContain('rejected_total{metric="h"} 4\n')
    expect(text).toContain('rejected_total{metric="g"} 1\n')
    expect(text).toContain('rejected_total{metric="u"} 1\n')
  })

  it('follows an outside total, through its restarts', () => {
    const counter = new Registry().counter('x_total')
    for (const total of [5, 8, 2, 4]) counter.observeTotal(total)
    expect(counter.value).toBe(12)
  })

  it('keeps the extremes and the time of a gauge', () => {
    const clock = new VirtualClock(5_000)
    const metrics = new Registry({ clock })
    const gauge = metrics.gauge('g')
    expect([gauge.min, gauge.max, gauge.lastUpdate]).toEqual([NaN, NaN, 0])
    gauge.set(-2)
    clock.advance(3_000)
    gauge.set(7)
    gauge.dec(4)
    expect([gauge.value, gauge.min, gauge.max, gauge.lastUpdate]).toEqual([3, -2, 7, 8_000])
  })

  it('counts classic buckets exactly, bounds included', () => {
    const metrics = new Registry()
    const histogram = metrics.histogram('h', { buckets: [0.1, 1, 2.5] })
    for (const v of [0, 0.1, 0.10000000000000002, 1, 2.5, 2.6, 1e300]) histogram.observe(v)
    const [metric] = metrics.toJSON().metrics
    expect(metric!.series[0]).toMatchObject({
      buckets: [
        { le: 0.1, count: 2 },
        { le: 1, count: 4 },
        { le: 2.5, count: 5 },
        { le: '+Inf', count: 7 },
      ],
    })
  })
})

describe('timing', () => {
  const clock = new VirtualClock()
  const metrics = new Registry({ clock })
  const timing = metrics.timing('work_seconds')

  it('measures a scope, a callback, a promise and start to stop', async () => {
    {
      using _ = timing.start()
      clock.advance(10)
    }
    timing.time(() => clock.advance(20))
    await timing.time(async () => clock.advance(30))
    const span = timing.start()
    clock.advance(40)
    expect(span.close()).toBe(40)
    expect(span.close()).toBe(0)
    expect(timing.stats()).toMatchObject({ count: 4, successes: 4, total: 100, mean: 25, max: 40 })
  })

  it('counts throws, rejections and declared failures', async () => {
    const failure = new Error('no')
    expect(() =>
      timing.time(() => {
        throw failure
      }),
    ).toThrow(failure)
    await expect(timing.time(() => Promise.reject(failure))).rejects.toBe(failure)
    timing.start().fail()
    expect(timing.stats()).toMatchObject({ count: 7, successes: 4, failures: 3 })
    expect(metrics.toPrometheus()).toContain('work_failures_total 3\n')
  })

  it('wraps a function and decorates a method without changing them', async () => {
    class Service {
      readonly base = 2

      @timed(timing)
      async times(this: Service, factor: number, _unused?: string): Promise<number> {
        clock.advance(5)
        return this.base * factor
      }
    }
    const service = new Service()
    expect(await service.times(4)).toBe(8)
    expect(service.times.name).toBe('times')
    expect(service.times.length).toBe(2)
    const doubled = timed(timing)((n: number): number => n * 2)
    expect(doubled(4)).toBe(8)
    expect(timing.stats().count).toBe(9)
  })

  it('measures a generator until it is done, has failed or is told to return', async () => {
    const pages = metrics.timing('pages_seconds')
    async function* read(fails: boolean) {
      clock.advance(10)
      yield 1
      clock.advance(10)
      if (fails) throw new Error('no')
    }
    const measured = timed(pages)(read)
    const values: number[] = []
    for await (const value of measured(false)) {
      clock.advance(100)
      values.push(value)
    }
    expect([values, pages.stats()]).toMatchObject([[1], { count: 1, total: 120, failures: 0 }])
    const failing = pages.time(async () => measured(true))
    const drained = async () => {
      for await (const _ of await failing);
    }
    await expect(drained()).rejects.toThrow('no')
    expect(pages.stats()).toMatchObject({ count: 3, failures: 2 })
    expect(pages.stats().total).toBeCloseTo(160)
    for await (const _ of measured(false)) break
    expect(pages.stats()).toMatchObject({ count: 4, failures: 2 })
    expect(pages.stats().total).toBeCloseTo(170)
    expect([...pages.time(() => [1, 2][Symbol.iterator]())]).toEqual([1, 2])
    expect(pages.stats().count).toBe(5)
  })
})
