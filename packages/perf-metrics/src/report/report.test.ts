import { VirtualClock } from '@millrace/testkit'
import { expect, it } from 'vitest'
import { Registry } from '../index.ts'
import { formatReport, performanceReport } from '../report.ts'

it('reports operations, parts and advice, as data and as text', () => {
  const clock = new VirtualClock(1_000_000)
  const metrics = new Registry({ clock })
  const load = metrics.timing('load_seconds', { labels: ['db'] })
  for (let i = 1; i <= 200; i++) load.record({ db: 'a' }, i, i % 10 === 0)
  metrics.observe('users_cache', {
    stats: () => ({ hits: 30, misses: 70, entries: 5, bytes: 2048, removals: { ttl: 1, size: 2 } }),
  })
  metrics.observe(
    'limit',
    { stats: () => ({ granted: 90, refused: 10 }) },
    { labels: { api: 'x' } },
  )
  metrics.observe('broken', {
    stats: () => {
      throw new Error('gone')
    },
  })
  clock.advance(10_000)
  const report = performanceReport(metrics)
  expect(report).toMatchObject({
    uptime: 10_000,
    combinedHitRatio: 0.3,
    timings: [
      { name: 'load_seconds', labels: { db: 'a' }, count: 200, failures: 20, failureRate: 0.1 },
    ],
    parts: [
      { name: 'users_cache', kind: 'cache', values: { removals: 3, 'removals.ttl': 1 } },
      { name: 'limit x', kind: 'limiter' },
    ],
    findings: [{ subject: 'load_seconds' }, { subject: 'users_cache' }, { subject: 'limit x' }],
  })
  expect(report.timings[0]!.p50).toBeCloseTo(100, -1)
  const text = formatReport(report)
  expect(text).toContain('load_seconds{db=a}: 20/s, p50 ')
  expect(text).toContain('20 of 200 failed')
  expect(text).toContain(
    'users_cache (cache): hit ratio 30 %, hits 30, misses 70, entries 5, bytes 2 KiB',
  )
  expect(text).toContain('warning: users_cache: hit ratio of 30 %.')
})
