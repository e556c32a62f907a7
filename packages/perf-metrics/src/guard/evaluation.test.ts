import { describe, expect, it } from 'vitest'
import { watch } from './watch.fixture.ts'

describe('a threshold', () => {
  it('trips after its time, survives flapping, and recovers', () => {
    const { metrics, guard, log, run } = watch({
      name: 'Hot',
      type: 'threshold',
      metric: 'temperature',
      above: 90,
      for: 30_000,
      recoverAfter: 60_000,
    })
    const gauge = metrics.gauge('temperature')
    run(20, () => gauge.set(95))
    expect(guard.status()[0]).toMatchObject({ state: 'pending', value: 95, limit: 90 })
    run(15, () => gauge.set(80))
    expect(log).toEqual([])
    run(60, () => gauge.set(95))
    expect(log).toEqual(['trip Hot'])
    run(30, () => gauge.set(80))
    run(15, () => gauge.set(95))
    run(50, () => gauge.set(80))
    expect(guard.stats()).toMatchObject({ tripped: 1, trips: 1, recoveries: 0 })
    run(30, () => gauge.set(80))
    expect(log).toEqual(['trip Hot', 'recover Hot'])
  })

  it('trips after a minute where its time is not given', () => {
    const { metrics, log, run } = watch({
      name: 'Hot',
      type: 'threshold',
      metric: 'temperature',
      above: 90,
    })
    const gauge = metrics.gauge('temperature')
    run(55, () => gauge.set(95))
    expect(log).toEqual([])
    run(15, () => gauge.set(95))
    expect(log).toEqual(['trip Hot'])
  })

  it('watches quantiles and rates over all matching series', () => {
    const slow = watch({
      name: 'Slow',
      type: 'threshold',
      metric: 'work_seconds',
      labels: { kind: 'a' },
      stat: 'p95',
      window: 60_000,
      above: 0.5,
      for: 0,
    })
    const timing = slow.metrics.timing('work_seconds', { labels: ['kind', 'host'] })
    slow.run(60, () => timing.record({ kind: 'b', host: '1' }, 900))
    slow.run(60, () => timing.record({ kind: 'a', host: '1' }, 100))
    expect(slow.log).toEqual([])
    slow.run(90, () => timing.record({ kind: 'a', host: '2' }, 700))
    expect(slow.log).toEqual(['trip Slow'])

    const evicting = watch({
      name: 'Evicting',
      type: 'threshold',
      metric: 'evictions_total',
      stat: 'rate',
      window: 60_000,
      above: 15,
      for: 0,
    })
    const counter = evicting.metrics.counter('evictions_total', { labels: ['cache'] })
    evicting.run(120, () => counter.inc({ cache: 'a' }, 10))
    expect(evicting.log).toEqual([])
    evicting.run(90, () => {
      counter.inc({ cache: 'a' }, 10)
      counter.inc({ cache: 'b' }, 10)
    })
    expect(evicting.log).toEqual(['trip Evicting'])
  })
})

describe('a ratio', () => {
  it('trips on the error rate of the window, not of all time', () => {
    const { metrics, log, run } = watch({
      name: 'Errors',
      type: 'ratio',
      numerator: { metric: 'db_failures_total' },
      denominator: [{ metric: 'db_seconds' }],
      above: 0.01,
      window: 60_000,
      for: 0,
    })
    const timing = metrics.timing('db_seconds')
    run(3600, () => {
      for (let i = 0; i < 10; i++) timing.record(1)
    })
    expect(log).toEqual([])
    run(60, () => {
      for (let i = 0; i < 10; i++) timing.record(1, i === 0)
    })
    expect(log).toEqual(['trip Errors'])
    run(180, () => timing.record(1))
    expect(log).toEqual(['trip Errors', 'recover Errors'])
  })

  it('judges no share of next to nothing', () => {
    const { metrics, guard, log, run } = watch({
      name: 'HitRate',
      type: 'ratio',
      numerator: { metric: 'hits_total' },
      denominator: [{ metric: 'hits_total' }, { metric: 'misses_total' }],
      below: 0.7,
      minimum: 100,
    })
    const misses = metrics.counter('misses_total')
    metrics.counter('hits_total')
    run(50, () => misses.inc())
    expect(log).toEqual([])
    expect(guard.status()[0]!.value).toBeNaN()
    run(300, () => misses.inc())
    expect(log).toEqual(['trip HitRate'])
  })
})
