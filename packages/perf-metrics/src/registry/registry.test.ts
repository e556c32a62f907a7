import { VirtualClock } from '@millrace/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { grafanaDashboard } from '../grafana.ts'
import { Registry, timed } from '../index.ts'

describe('definition', () => {
  it('returns the same metric for the same definition', () => {
    const metrics = new Registry()
    metrics.counter('a_total').inc()
    expect(metrics.counter('a_total').value).toBe(1)
  })

  it.each([
    ['another type', (m: Registry) => m.gauge('x'), 'Metric "x" is a counter already, not a gauge'],
    [
      'other labels',
      (m: Registry) => m.counter('x', { labels: ['b'] }),
      'Metric "x" has the labels [a] already',
    ],
    [
      'a name that another metric is exported under',
      (m: Registry) => m.gauge('x_total'),
      'Metric "x_total" is exported as x_total, as x is',
    ],
    [
      'a name that differs only in what ASCII readers cannot see',
      (m: Registry) => {
        m.gauge('y.z')
        m.gauge('y/z')
      },
      'Metric "y/z" is exported as y_z, as y.z is',
    ],
    [
      'a sample of a histogram',
      (m: Registry) => {
        m.histogram('h')
        m.counter('h_count')
      },
      'Metric "h_count" is exported as h_count, as h is',
    ],
  ])('refuses %s', (_, define, message) => {
    const metrics = new Registry()
    metrics.counter('x', { labels: ['a'] })
    expect(() => define(metrics)).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_DUPLICATE_METRIC', message }),
    )
  })

  it('refuses other buckets for an existing histogram', () => {
    const metrics = new Registry()
    metrics.histogram('h', { buckets: [1, 2] })
    expect(() => metrics.histogram('h', { buckets: [1, 3] })).toThrow(
      'Metric "h" has other buckets already',
    )
  })

  it.each([
    ['', undefined, 'Metric name "" must not be empty'],
    ['a\nb', undefined, 'Metric name "a\\nb" must not contain control characters'],
    ['a\uD800', undefined, 'Metric name "a\\ud800" must be well-formed Unicode'],
    [
      'a',
      ['__name'],
      'Label name "__name" of metric "a" must not begin with __, which Prometheus reserves',
    ],
    [
      'a',
      ['quantile'],
      'Label name "quantile" of metric "a" is reserved for the buckets of the exposition',
    ],
    ['a', ['b', 'b'], 'Label name "b" of metric "a" is exported as b, as another label is'],
    ['a', ['b.c', 'b/c'], 'Label name "b/c" of metric "a" is exported as b_c, as another label is'],
  ])('refuses the name %j with labels %j', (name, labels, message) => {
    expect(() => new Registry().counter(name, { labels: labels ?? [] })).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_METRIC_NAME', message }),
    )
  })

  it('refuses le on a histogram only', () => {
    expect(() => new Registry().histogram('a', { labels: ['le'] })).toThrow('reserved')
    new Registry().counter('a', { labels: ['le'] })
  })

  it.each([
    [{ maxSeries: 0 }, 'Expected `maxSeries` to be an integer from 1 to 1,000,000, got 0'],
    [
      { retention: 5 },
      'Expected `retention` to be a number of at least 1,000, got a positive integer of 1 digit',
    ],
  ])('refuses the option %j', (options, message) => {
    expect(() => new Registry(options)).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_INVALID_OPTION', message }),
    )
  })

  it.each([[[2, 1]], [[0, 1]], [[1, Infinity]], [[NaN]]])('refuses the buckets %j', buckets => {
    expect(() => new Registry().histogram('h', { buckets })).toThrow(
      'Expected `buckets` to be at most 250 positive finite numbers in ascending order',
    )
  })
})

describe('labels', () => {
  const bad: [string, object, string][] = [
    ['a missing label', { a: '1' }, 'Label "b" of metric "x" is missing'],
    [
      'a surplus label',
      { a: '1', b: '2', c: '3' },
      'Label "c" of metric "x" is not one of its labels',
    ],
    [
      'an unusable value',
      { a: '1', b: {} },
      'Label "b" of metric "x" must be a string, number or boolean',
    ],
  ]

  it.each(bad)('throws on %s when bound', (_, labels, message) => {
    const counter = new Registry().counter('x', { labels: ['a', 'b'] })
    expect(() => counter.labels(labels as never)).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_LABELS', message, metric: 'x' }),
    )
  })

  it('counts wrong labels on the hot path and throws nothing', () => {
    const metrics = new Registry()
    const counter = metrics.counter('x', { labels: ['a', 'b'] })
    for (const [, labels] of bad) counter.inc(labels as never)
    counter.inc(undefined as never)
    expect(counter.family.size).toBe(0)
    expect(metrics.toPrometheus()).toContain('millrace_metrics_mislabelled_total{metric="x"} 4\n')
  })

  it('shares one series among what exceeds the budget, and says so', () => {
    const metrics = new Registry({ maxSeries: 3 })
    const counter = metrics.counter('x_total', { labels: ['user'] })
    for (let round = 0; round < 2; round++) {
      for (let user = 0; user < 10; user++) counter.inc({ user })
    }
    const text = metrics.toPrometheus()
    expect(text).toContain('x_total{user="2"} 2\n')
    expect(text).not.toContain('user="3"')
    expect(text).toContain('x_total{user="__overflow__"} 14\n')
    expect(text).toContain('millrace_metrics_overflow_total{metric="x_total"} 14\n')
  })
})

describe('a series that is removed', () => {
  it('is gone with its failures, and begins anew when it is updated', () => {
    const clock = new VirtualClock(1_000_000)
    const metrics = new Registry({ clock })
    const counter = metrics.counter('x_total', { labels: ['tenant'] })
    const held = counter.labels({ tenant: 'a' })
    held.inc(5)
    counter.inc({ tenant: 'b' }, 2)
    expect(counter.remove({ tenant: 'a' })).toBe(true)
    expect(counter.remove({ tenant: 'a' })).toBe(false)
    expect(metrics.toPrometheus()).toContain('# TYPE x_total counter\nx_total{tenant="b"} 2\n')
    clock.advance(3000)
    held.inc(3)
    const text = metrics.toOpenMetrics()
    expect(text).toContain('x_total{tenant="a"} 3\nx_created{tenant="a"} 1003\n')
    const timing = metrics.timing('t_seconds', { labels: ['tenant'] })
    timing.record({ tenant: 'a' }, 5, true)
    expect(timing.remove({ tenant: 'a' })).toBe(true)
    expect(metrics.toPrometheus()).not.toContain('t_')
    expect(metrics.summary()).not.toContain('t_failures')
  })

  it('makes room under the budget; what took the overflow stays', () => {
    const gauge = new Registry({ maxSeries: 1 }).gauge('g', { labels: ['k'] })
    gauge.set({ k: 1 }, 1)
    gauge.set({ k: 2 }, 2)
    expect(gauge.remove({ k: '__overflow__' })).toBe(false)
    expect(gauge.remove({ k: 1 })).toBe(true)
    expect(gauge.labels({ k: 3 }).value).toBe(0)
    expect(() => gauge.remove({} as never)).toThrow('Label "k" of metric "g" is missing')
  })
})

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
      async times(factor: number, _unused?: string): Promise<number> {
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
})

describe('options of exports', () => {
  it.each<[string, (metrics: Registry) => unknown, string]>([
    ['toOpenMetrics', m => m.toOpenMetrics({ versoin: '2.0' } as never), '`version`?'],
    ['toOpenMetrics', m => m.toOpenMetrics({ version: '3' } as never), 'Expected `version`'],
    ['toOtlp', m => m.toOtlp({ histogram: 'explicit' } as never), '`histograms`?'],
    ['toOtlp', m => m.toOtlp({ histograms: 'classic' } as never), 'Expected `histograms`'],
    ['toOtlpJson', m => m.toOtlpJson({ resources: {} } as never), '`resource`?'],
    ['grafanaDashboard', m => grafanaDashboard(m, { titles: 'x' } as never), '`title`?'],
    ['grafanaDashboard', m => grafanaDashboard(m, { uid: 7 } as never), 'Expected `uid`'],
  ])('%s refuses what it does not know', (_, call, message) => {
    expect(() => call(new Registry())).toThrow(message)
  })

  it('scrape refuses what it does not know', async () => {
    const metrics = new Registry()
    await expect(metrics.scrape({ acept: '*/*' } as never)).rejects.toThrow('`accept`?')
  })
})

describe('observe', () => {
  it('exports what stats() returns, anew for every export', () => {
    const metrics = new Registry()
    const stats = { hits: 1, hitRate: 0.5, removals: { ttl: 1, size: 0 }, open: true, name: 'x' }
    const registration = metrics.observe(
      'cache',
      { stats: () => stats },
      { labels: { cache: 'a' } },
    )
    expect(metrics.toPrometheus()).toContain('cache_hits_total{cache="a"} 1\n')
    stats.hits = 7
    const text = metrics.toPrometheus()
    expect(text).toContain('cache_hits_total{cache="a"} 7\n')
    expect(text).toContain('cache_hit_rate{cache="a"} 0.5\n')
    expect(text).toContain('cache_removals_total{cache="a",kind="ttl"} 1\n')
    expect(text).toContain('cache_open{cache="a"} 1\n')
    expect(text).not.toContain('name')
    registration.close()
    stats.hits = 9
    expect(metrics.toPrometheus()).toContain('cache_hits_total{cache="a"} 7\n')
  })

  it('lets no broken source hide the others', () => {
    const metrics = new Registry()
    metrics.observe('bad', {
      stats: () => {
        throw new Error('broken')
      },
    })
    metrics.observe('good', { stats: () => ({ size: 1 }) })
    const text = metrics.toPrometheus()
    expect(text).toContain('good_size 1\n')
    expect(text).toContain('millrace_metrics_collect_failures_total 1\n')
  })
})

describe('an instrument with a callback', () => {
  it('is brought up to date before every export', () => {
    const metrics = new Registry()
    let queue = 3
    const gauge = metrics.gauge('queue', { collect: () => gauge.set(queue) })
    const seen = metrics.counter('seen_total', { collect: () => seen.observeTotal(queue * 10) })
    expect(metrics.toPrometheus()).toContain('queue 3\n')
    queue = 5
    const text = metrics.toPrometheus()
    expect(text).toContain('queue 5\n')
    expect(text).toContain('seen_total 50\n')
  })
})

describe('retention', () => {
  it('drops idle series, keeps the busy, and brings one back with a new start time', () => {
    const clock = new VirtualClock(1_000_000)
    const metrics = new Registry({ clock, retention: 10_000 })
    const counter = metrics.counter('x_total', { labels: ['user'] })
    const idle = counter.labels({ user: 'idle' })
    idle.inc(5)
    counter.inc({ user: 'once' })
    for (let second = 0; second < 15; second++) {
      counter.inc({ user: 'busy' })
      clock.advance(1000)
    }
    expect(metrics.toPrometheus()).toBe(
      '# HELP x_total x\n# TYPE x_total counter\nx_total{user="busy"} 15\n',
    )
    idle.inc(2)
    counter.inc({ user: 'once' })
    const text = metrics.toOpenMetrics()
    expect(text).toContain('x_total{user="idle"} 2\nx_created{user="idle"} 1015\n')
    expect(text).toContain('x_total{user="once"} 1\nx_created{user="once"} 1015\n')
    expect(counter.labels({ user: 'idle' })).toBe(idle)
  })

  it('gives a forgotten series’ cells to another, zeroed', () => {
    const clock = new VirtualClock(1_000_000)
    const metrics = new Registry({ clock, retention: 10_000 })
    const histogram = metrics.histogram('h', { labels: ['k'] })
    for (let round = 0; round < 5; round++) {
      for (let k = 0; k < 100; k++) histogram.observe({ k: `${round}-${k}` }, 2 ** (k % 20))
      clock.advance(12_000)
      expect(histogram.family.size).toBe(0)
    }
    histogram.observe({ k: 'new' }, 1)
    expect(histogram.labels({ k: 'new' }).distribution()).toMatchObject({
      count: 1,
      sum: 1,
      low: 0,
    })
  })
})

describe('disabled', () => {
  it('hands out instruments that do nothing and exports nothing', async () => {
    const metrics = new Registry({ enabled: false })
    metrics.counter('a').inc()
    metrics.counter('b', { labels: ['x'] }).inc({ x: 1 })
    metrics
      .counter('b', { labels: ['x'] })
      .labels({ x: 1 })
      .inc()
    metrics.gauge('c').set(1)
    metrics.histogram('d').observe(1)
    expect(await metrics.timing('e_seconds').time(async () => 5)).toBe(5)
    expect(metrics.timing('f', { labels: ['x'] }).time({ x: 1 }, () => 6)).toBe(6)
    metrics.observe('g', { stats: () => ({ a: 1 }) })
    expect(metrics.toPrometheus()).toBe('')
    expect(metrics.toJSON().metrics).toEqual([])
  })
})

describe('clock tick', () => {
  const open: Registry[] = []
  afterEach(() => {
    for (const metrics of open.splice(0)) metrics.close()
  })

  it('starts with the first instrument and ends with the registry', () => {
    const clock = new VirtualClock()
    const metrics = new Registry({ clock })
    open.push(metrics)
    expect(clock.pending).toBe(0)
    metrics.counter('a')
    expect(clock.pending).toBe(1)
    clock.advance(5000)
    expect(clock.pending).toBe(1)
    metrics.close()
    expect(clock.pending).toBe(0)
  })
})
