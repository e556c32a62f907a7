import { VirtualClock } from '@millrace/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { grafanaDashboard } from '../grafana.ts'
import { Registry } from '../index.ts'

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

  it('leaves out what is no number yet', () => {
    const metrics = new Registry()
    const stats = { hitRate: Number.NaN, share: { a: Number.NaN, b: 0.5 } }
    metrics.observe('cache', { stats: () => stats })
    expect(metrics.toPrometheus()).not.toMatch(/cache_hit_rate|kind="a"|rejected/)
    stats.hitRate = 0.25
    expect(metrics.toPrometheus()).toContain('cache_hit_rate 0.25\n')
  })

  it('finds its metrics again that were removed or have expired meanwhile', () => {
    const clock = new VirtualClock(1_000_000)
    const metrics = new Registry({ clock, retention: 60_000 })
    const stats = { size: 3, hits: 4, removals: { evicted: 5 } }
    metrics.observe('cache', { stats: () => stats }, { labels: { cache: 'a' } })
    const lines = () => metrics.toPrometheus().match(/^cache.*$/gm)
    const all = [
      'cache_size{cache="a"} 3',
      'cache_hits_total{cache="a"} 4',
      'cache_removals_total{cache="a",kind="evicted"} 5',
    ]
    expect(lines()).toEqual(all)
    expect(metrics.remove('cache_hits_total')).toBe(true)
    expect(lines()?.toSorted()).toEqual(all.toSorted())
    clock.advance(600_000)
    // What has expired begins anew: its counters count from zero.
    expect(lines()).toHaveLength(3)
  })

  it('takes a field for what it is when it is read, also where it was something else', () => {
    const metrics = new Registry()
    let stats: object = { hits: true }
    metrics.observe('cache', { stats: () => stats }, { counters: ['hits'] })
    expect(metrics.toPrometheus()).toContain('cache_hits 1\n')
    stats = { hits: 7 }
    expect(metrics.toPrometheus()).toContain('cache_hits 1\n')
    stats = { hits: { a: 7 } }
    expect(() => metrics.toPrometheus()).not.toThrow()
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

  it('is left alone once it is removed, and brought up to date by its new callback when it is back', () => {
    const metrics = new Registry()
    const seen: string[] = []
    const define = (by: string) => metrics.gauge('depth', { collect: () => void seen.push(by) })
    define('first')
    metrics.collect()
    expect(metrics.remove('depth')).toBe(true)
    metrics.collect()
    define('second')
    metrics.collect()
    expect(seen).toEqual(['first', 'second'])
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

describe('a registry that nobody holds', () => {
  it('is collected, though its timer goes on', async () => {
    const clock = new VirtualClock(1_000_000)
    const made = Array.from({ length: 20 }, () => {
      const metrics = new Registry({ clock, retention: 5000 })
      const load = metrics.timing('load_seconds', { labels: ['kind'] })
      load.record({ kind: 'read' }, 5)
      metrics.window(load.labels({ kind: 'read' }), 60_000)
      metrics.toPrometheus()
      return new WeakRef(metrics)
    })
    clock.advance(3000)
    for (let pass = 0; pass < 5; pass++) {
      // What a reference was asked for is kept until the turn is over.
      await new Promise(resolve => setImmediate(resolve))
      globalThis.gc!()
    }
    expect(made.filter(reference => reference.deref() !== undefined)).toEqual([])
    clock.advance(3000)
  })
})
