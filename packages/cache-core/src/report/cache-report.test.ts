import { expect, test } from 'vitest'
import { Cache } from '../cache/cache.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { TieredCache } from '../tiered/tiered-cache.ts'
import { CacheReporter } from './cache-report.ts'

function read(cache: Cache<string, string>, hits: number, misses: number): void {
  cache.set('there', 'value')
  for (let i = 0; i < hits; i++) cache.get('there')
  for (let i = 0; i < misses; i++) cache.get(`absent ${i}`)
}

test('hit rates are combined by reads, and a good system has no alerts', () => {
  const [files, trees] = [new Cache<string, string>(), new Cache<string, string>()]
  read(files, 900, 100)
  read(trees, 95, 5)
  const reporter = new CacheReporter().add('files', { cache: files }).add('trees', { cache: trees })
  const { caches, hitRate, score, alerts } = reporter.report()
  expect([caches.files?.hitRate, caches.trees?.hitRate]).toEqual([0.9, 0.95])
  expect(hitRate).toBeCloseTo(995 / 1_100)
  expect(score).toBeCloseTo(99_500 / 1_100)
  expect(alerts).toEqual([])
  expect(reporter.diagnose()).toEqual([])
})

test('each threshold has its alert, with what to do', () => {
  const full = new Cache<string, string>({ maxBytes: 1_000, weigher: value => value.length })
  for (let i = 0; i < 200; i++) {
    full.get(`k${i}`)
    full.set(`k${i}`, 'x'.repeat(99))
  }
  const reporter = new CacheReporter().add('full', { cache: full, maxBytes: 1_000 })
  const { alerts, score } = reporter.report()
  expect(alerts.map(({ kind, severity }) => `${kind} ${severity}`)).toEqual([
    'memory critical',
    'hitRate critical',
    'evictions warning',
  ])
  expect(score).toBe(0)
  expect(alerts[1]!.finding).toBe('0.0 % of its reads hit, fewer than 80.0 %')
  expect(alerts[1]!.recommendation).toContain('advise()')
  for (const { recommendation } of reporter.diagnose())
    expect(recommendation.length).toBeGreaterThan(20)
})

test('few reads are not judged, and thresholds can be moved', () => {
  const cache = new Cache<string, string>()
  read(cache, 0, 99)
  const alerts = (thresholds = {}) =>
    new CacheReporter(thresholds)
      .add('c', { cache })
      .report()
      .alerts.map(({ kind }) => kind)
  expect(alerts()).toEqual([])
  expect(alerts({ reads: 10 })).toEqual(['hitRate'])
  expect(alerts({ reads: 10, hitRate: 0 })).toEqual([])
  expect(() => new CacheReporter({ hitRate: 80 })).toThrow('`hitRate`')
  expect(() => new CacheReporter({ hitrate: 0.8 } as never)).toThrow('did you mean `hitRate`')
})

test('the limit of entries tells a cache that is full from one that has room', () => {
  const full = new Cache<string, string>({ maxEntries: 10 })
  for (let i = 0; i < 10; i++) full.set(`${i}`, 'value')
  read(full, 50, 60)
  const roomy = new Cache<string, string>({ maxEntries: 1_000 })
  read(roomy, 50, 60)
  const reporter = new CacheReporter()
    .add('full', { cache: full, maxEntries: 10 })
    .add('roomy', { cache: roomy, maxEntries: 1_000 })
  const { caches, alerts } = reporter.report()
  expect([caches.full!.fill, caches.roomy!.fill]).toEqual([1, 0.001])
  expect(alerts.map(({ recommendation }) => recommendation.slice(0, 15))).toEqual([
    'It is too small',
    'It has room: le',
  ])
  const oversized = reporter.diagnose().filter(({ kind }) => kind === 'oversized')
  expect(oversized.map(({ cache }) => cache)).toEqual(['roomy'])
})

test('diagnose names failing loads, unread entries and refused values', async () => {
  const cache = new Cache<string, string>({ maxBytes: 10, weigher: value => value.length })
  const reporter = new CacheReporter().add('c', { cache, maxBytes: 10 })
  cache.set('unread', 'x').set('huge', 'x'.repeat(11))
  expect(reporter.diagnose().map(({ kind }) => kind)).toEqual(['unused', 'refusals'])
  for (let i = 0; i < 3; i++) {
    await cache.getOrLoad(`k${i}`, () => Promise.reject(new Error('down'))).catch(() => undefined)
  }
  const kinds = reporter.diagnose().map(({ kind }) => kind)
  expect(kinds).toContain('loadFailures')
})

test('takes the first tier of a tiered cache, and refuses what has other counters', async () => {
  await using tiered = new TieredCache<number>({ store: new MemoryStore() })
  const refused = expect.objectContaining({ code: 'ERR_MILLRACE_INVALID_OPTION', option: 'cache' })
  const reporter = new CacheReporter()
  for (const cache of [tiered, { stats: () => undefined }, { stats: () => ({ hits: 1 }) }]) {
    expect(() => reporter.add('c', { cache: cache as unknown as Cache<string, number> })).toThrow(
      refused,
    )
  }
  await tiered.set('k', 1)
  await tiered.get('k')
  reporter.add('c', { cache: { stats: () => tiered.stats().l1 } })
  expect(reporter.report().caches.c?.hits).toBe(1)
})

test('a cache whose stats throw is an alert, and the others are reported all the same', () => {
  const well = new Cache<string, string>({ maxEntries: 10 })
  const stats = well.stats()
  let thrown: unknown
  const reporter = new CacheReporter()
    .add('broken', {
      cache: {
        stats: () => {
          if (thrown !== undefined) throw thrown
          return stats
        },
      },
    })
    .add('well', { cache: well })
  well.set('k', 'v').get('k')
  for (const what of [new Error('it is closed'), null, Object.create(null)]) {
    thrown = what
    const { caches, alerts, hitRate } = reporter.report()
    expect([Object.keys(caches), hitRate]).toEqual([['well'], 1])
    expect(alerts).toMatchObject([{ cache: 'broken', kind: 'unreadable', severity: 'critical' }])
    expect(reporter.diagnose()).toEqual(alerts)
  }
  thrown = new Error('it is closed')
  expect(reporter.report().alerts[0]?.finding).toContain('it is closed')
})
