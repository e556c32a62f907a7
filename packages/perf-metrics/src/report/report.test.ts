import { EventEmitter } from 'node:events'
import { VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { Registry } from '../index.ts'
import { formatReport, performanceReport } from '../report.ts'
import { ClusterReceiver, ClusterSender, claimLane, SharedLanes } from '../workers.ts'

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

it('reports what a part has by name, such as the origins of a pool, as parts of their own', () => {
  const metrics = new Registry()
  const origin = { open: 1, idle: 0, pending: 1, breaker: 2, phases: { connect: { p50: 1 } } }
  const hostile = {
    get open(): number {
      throw new Error('no')
    },
  }
  const origins: Record<string, object> = {
    'http://a:1': origin,
    'http://b:2': { idle: 3, pending: 0 },
  }
  metrics.observe('pool', { stats: () => ({ connections: 4, origins }) }, { labels: { of: 'x' } })
  metrics.observe('bad', { stats: () => ({ origins: { hostile } }) })
  for (let i = 0; i < 100; i++) origins[`http://c:${i}`] = { idle: 0, pending: 0 }
  const { parts } = performanceReport(metrics)
  expect(parts.slice(0, 3)).toEqual([
    { name: 'pool x', kind: 'pool', values: { connections: 4, origins: 102 } },
    {
      name: 'pool x http://a:1',
      kind: 'pool',
      values: { open: 1, idle: 0, pending: 1, breaker: 2 },
    },
    { name: 'pool x http://b:2', kind: 'pool', values: { idle: 3, pending: 0 } },
  ])
  expect(parts).toHaveLength(51)
})

describe('operations are timings, whatever their names', () => {
  const NAMES = ['load', 'db.load', 'x y seconds', 'process_order_seconds', 'nodejs_seconds', 'ü']

  function defined(metrics: Registry): void {
    for (const name of NAMES) {
      metrics.timing(name).record(5)
      metrics.timing(`${name}_by`, { labels: ['db'] }).record({ db: 'a' }, 5, true)
    }
    metrics.histogram('age_seconds').observe(1)
    metrics.histogram('nodejs_gc_duration_seconds').observe(1)
  }

  function expectOperations(metrics: Registry): void {
    const { timings } = performanceReport(metrics)
    expect(timings.map(({ name }) => name)).toEqual(NAMES.flatMap(name => [name, `${name}_by`]))
    expect(timings.map(({ failures }) => failures)).toEqual(NAMES.flatMap(() => [0, 1]))
  }

  it('in one process', () => {
    const metrics = new Registry()
    defined(metrics)
    expectOperations(metrics)
  })

  it('in another thread', () => {
    const metrics = new Registry()
    const lanes = new SharedLanes({ threads: 1 })
    lanes.aggregateInto(metrics)
    defined(new Registry({ store: claimLane(lanes.buffer) }))
    metrics.collect()
    expectOperations(metrics)
  })

  it('in another process', () => {
    const metrics = new Registry()
    const child = new EventEmitter()
    new ClusterReceiver(metrics).attach(child)
    const elsewhere = new Registry()
    const send = (message: unknown) => child.emit('message', JSON.parse(JSON.stringify(message)))
    using sender = new ClusterSender(elsewhere, { send })
    defined(elsewhere)
    sender.flush()
    expectOperations(metrics)
  })

  it('where a histogram of that name was there before', () => {
    const metrics = new Registry()
    metrics.histogram('load_seconds')
    metrics.timing('load_seconds').record(1)
    expect(performanceReport(metrics).timings).toMatchObject([{ name: 'load_seconds', count: 1 }])
  })
})
