import { VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { Guard, type RatioRule, type Rule, type RuleStatus } from '../guard.ts'
import { Registry } from '../index.ts'
import { watch } from './watch.fixture.ts'

/** What guards warn of from now on; the process, which other tests share, may be warned of other things. */
function guardWarnings(): Disposable & { readonly messages: readonly string[] } {
  const messages: string[] = []
  const listen = ({ message, code }: Error & { code?: string }) => {
    if (code?.startsWith('MILLRACE_GUARD_')) messages.push(message)
  }
  process.on('warning', listen)
  return { messages, [Symbol.dispose]: () => void process.off('warning', listen) }
}

describe('a guard', () => {
  it('says once which metrics its rules name in vain', async () => {
    using warned = guardWarnings()
    const { run } = watch({ name: 'A', type: 'threshold', metric: 'missspelt', above: 1 })
    run(60, () => {})
    await new Promise(resolve => setImmediate(resolve))
    expect(warned.messages).toEqual(['Rule A: there is no metric "missspelt" yet'])
  })

  it.each([
    ['changed afterwards', (rule: Rule) => rule],
    ['behind a proxy', (rule: Rule) => new Proxy(rule, {})],
    ['inherited', (rule: Rule) => Object.create(rule) as Rule],
  ])('keeps rules as they were checked: %s', (_, given) => {
    const metrics = new Registry({ clock: new VirtualClock(1_000_000) })
    const load = metrics.counter('load_total', { labels: ['kind'] })
    const labels = { kind: 'read' }
    const rule: { -readonly [F in keyof RatioRule]: RatioRule[F] } = {
      name: 'Share',
      type: 'ratio',
      numerator: new Proxy({ metric: 'load_total', labels }, {}),
      denominator: [{ metric: 'load_total' }],
      above: 0.5,
      for: 0,
    }
    const rules = [given(rule)]
    using guard = new Guard(metrics, { rules })
    rule.above = 2
    labels.kind = 'write'
    rules.length = 0
    load.inc({ kind: 'read' }, 90)
    load.inc({ kind: 'write' }, 10)
    guard.evaluate()
    expect(guard.status()).toMatchObject([
      { state: 'tripped', value: 0.9, limit: 0.5, rule: { name: 'Share', above: 0.5 } },
    ])
  })

  it('brings up to date what its rules name, and nothing else', () => {
    const clock = new VirtualClock()
    const metrics = new Registry({ clock })
    const read: string[] = []
    const source = (name: string) => ({
      stats() {
        read.push(name)
        return { entries: 7, hits: 1 }
      },
    })
    metrics.observe('orders_cache', source('orders'))
    metrics.observe('users_cache', source('users'))
    const level = metrics.gauge('level')
    metrics.addCollector(() => level.set(9), ['level'])
    metrics.addCollector(() => read.push('anything'))
    metrics.addCollector(() => read.push('other'), ['process_', 'nodejs_'])
    const rule = { type: 'threshold', above: 5, for: 0 } as const
    const rules: Rule[] = [
      { ...rule, name: 'Full', metric: 'orders_cache_entries' },
      { ...rule, name: 'High', metric: 'level' },
    ]
    using guard = new Guard(metrics, { rules })
    expect(guard.status().map(({ value }) => value)).toEqual([7, 9])
    expect(read).toEqual(['orders', 'anything'])
    clock.advance(10_000)
    expect(read).toEqual(['orders', 'anything', 'orders', 'anything'])
    metrics.collect()
    expect(read.slice(4)).toEqual(['orders', 'users', 'anything', 'other'])
  })

  it('judges no metric of another type, says so, and says which labels there are not', async () => {
    using warned = guardWarnings()
    const below = { below: 5, for: 0 } as const
    const cases: Rule[] = [
      { name: 'A', type: 'threshold', metric: 'level', stat: 'mean', ...below },
      { name: 'B', type: 'threshold', metric: 'level', stat: 'rate', ...below },
      { name: 'C', type: 'threshold', metric: 'calls_total', stat: 'p99', ...below },
      { name: 'D', type: 'threshold', metric: 'sizes', ...below },
      {
        name: 'E',
        type: 'ratio',
        numerator: { metric: 'level' },
        denominator: [{ metric: 'calls_total' }],
        ...below,
        below: 1,
      },
      { name: 'F', type: 'leak', metric: 'calls_total', window: 60_000, growthPerHour: 0 },
      { name: 'G', type: 'regression', metric: 'level' },
      { name: 'H', type: 'threshold', metric: 'level', labels: { hots: 'a' }, ...below },
    ]
    for (const rule of cases) {
      const { metrics, log, run } = watch(rule)
      const level = metrics.gauge('level')
      const calls = metrics.counter('calls_total')
      const sizes = metrics.histogram('sizes')
      run(120, () => {
        level.set(1)
        calls.inc(3)
        sizes.observe(1)
      })
      expect(log).toEqual([])
    }
    await new Promise(resolve => setImmediate(resolve))
    expect(warned.messages).toEqual([
      'Rule A: the metric "level" is a gauge, and it wants a histogram',
      'Rule B: the metric "level" is a gauge, and it wants a counter or histogram',
      'Rule C: the metric "calls_total" is a counter, and it wants a histogram',
      'Rule D: the metric "sizes" is a histogram, and it wants a gauge or updown or counter',
      'Rule E: the metric "level" is a gauge, and it wants a counter or histogram',
      'Rule F: the metric "calls_total" is a counter, and it wants a gauge or updown',
      'Rule G: the metric "level" is a gauge, and it wants a histogram',
      'Rule H: the metric "level" has no label "hots"',
    ])
  })

  it('counts on where series expire, or are removed', () => {
    const { metrics, log, run } = watch({
      name: 'Hits',
      type: 'ratio',
      numerator: { metric: 'hits_total' },
      denominator: [{ metric: 'hits_total' }, { metric: 'misses_total' }],
      below: 0.5,
      for: 0,
    })
    const hits = metrics.counter('hits_total', { labels: ['tenant'] })
    const misses = metrics.counter('misses_total')
    let tenants = 0
    run(60, () => {
      hits.inc({ tenant: String(tenants++) }, 9)
      misses.inc()
    })
    for (let i = 0; i < tenants; i++) expect(hits.remove({ tenant: String(i) })).toBe(true)
    run(60, () => {
      hits.inc({ tenant: 'last' }, 9)
      misses.inc()
    })
    expect(log).toEqual([])
  })

  it('keeps the rules that it was given, whatever becomes of them', () => {
    const rule = { name: 'G', type: 'threshold', metric: 'g', above: 10, for: 0 } as const
    const metrics = new Registry({ clock: new VirtualClock() })
    metrics.gauge('g').set(5)
    using guard = new Guard(metrics, { rules: [rule] })
    Object.assign(rule, { above: 1, type: 'nonsense' })
    guard.evaluate()
    expect(guard.stats()).toMatchObject({ tripped: 0, trips: 0 })
  })

  it('bears whatever a callback throws', async () => {
    using warned = guardWarnings()
    const metrics = new Registry({ clock: new VirtualClock() })
    metrics.gauge('g').set(5)
    const thrown: unknown[] = [Object.create(null), Symbol('s'), undefined, { toString: null }]
    for (const error of thrown) {
      using guard = new Guard(metrics, {
        rules: [{ name: 'G', type: 'threshold', metric: 'g', above: 1, for: 0 }],
        onTrip: () => {
          throw error
        },
      })
      expect(guard.stats().trips).toBe(1)
    }
    await new Promise(resolve => setImmediate(resolve))
    expect(warned.messages).toHaveLength(thrown.length)
  })

  it('calls back once its constructor has returned it, also for what holds from the start', async () => {
    const metrics = new Registry({ clock: new VirtualClock() })
    metrics.gauge('g').set(5)
    const rule = { type: 'threshold', metric: 'g', above: 1, for: 0 } as const
    const failures: unknown[] = []
    const trips: string[] = []
    const guard = new Guard(metrics, {
      rules: [
        { ...rule, name: 'A' },
        { ...rule, name: 'B' },
      ],
      onTrip: ({ rule }) => {
        trips.push(rule.name)
        guard.close()
      },
      onError: error => failures.push(error),
    })
    expect(trips).toEqual([])
    await new Promise(resolve => setImmediate(resolve))
    expect({ trips, failures }).toEqual({ trips: ['A', 'B'], failures: [] })
  })

  const share = {
    name: 'A',
    type: 'ratio',
    numerator: { metric: 'n' },
    denominator: [{ metric: 'd' }],
  } as const
  it.each([
    { above: 5 },
    { above: 1 },
    { above: -0.1 },
    { below: 0 },
    { below: 60 },
    { below: -1 },
  ])('refuses a ratio whose rule always holds, or never: %j', limit => {
    expect(() => new Guard(new Registry(), { rules: [{ ...share, ...limit }] })).toThrow(
      `Expected \`A.${Object.keys(limit)[0]}\` to be a share`,
    )
  })

  it.each([{ above: 0 }, { above: 0.999 }, { below: 1 }, { below: 0.001 }])(
    'takes a ratio with %j',
    limit => {
      using guard = new Guard(new Registry(), { rules: [{ ...share, ...limit }] })
      expect(guard.stats().rules).toBe(1)
    },
  )

  it('reports what a callback throws and goes on', async () => {
    const clock = new VirtualClock(1_000_000)
    const metrics = new Registry({ clock })
    metrics.gauge('g').set(5)
    const failures: [unknown, RuleStatus][] = []
    using guard = new Guard(metrics, {
      clock,
      rules: [{ name: 'G', type: 'threshold', metric: 'g', above: 1, for: 0 }],
      onTrip: async () => {
        throw new Error('rollback failed')
      },
      onError: (error, status) => failures.push([error, status]),
    })
    await new Promise(resolve => setImmediate(resolve))
    expect(failures).toMatchObject([[{ message: 'rollback failed' }, { rule: { name: 'G' } }]])
    expect(guard.stats()).toMatchObject({ rules: 1, tripped: 1, trips: 1 })
  })

  const burning = {
    name: 'A',
    type: 'burn-rate',
    errors: { metric: 'e' },
    total: [{ metric: 't' }],
  } as const
  it.each([
    [
      { name: 'a b', type: 'threshold', metric: 'x', above: 1 },
      'Expected `rules[0].name` to be letters',
    ],
    [{ name: 'A', type: 'threshold', metric: 'x' }, 'Expected `A.above` to be given, or `below`'],
    [
      { name: 'A', type: 'threshold', metric: 'x', above: 1, window: 5 },
      'Expected `A.window` to be one of 60000, 300000, 900000, got a positive integer of 1 digit',
    ],
    [
      { name: 'A', type: 'burn-rate', objective: 1, errors: { metric: 'e' }, total: [] },
      'Expected `A.objective` to be a number from 0.5 to 0.999999, got a positive integer of 1 digit',
    ],
    [{ name: 'A', type: 'treshold', metric: 'x', above: 1 }, 'Expected `A.type` to be one of'],
    [{ name: 'A', type: 'leak', metric: 'x', windw: 1 }, 'did you mean `window`?'],
    [{ name: 'A', type: 'leak', metric: '' }, 'Expected `A.metric` to be a string'],
    [
      { name: 'A', type: 'threshold', metric: 'x', above: NaN },
      'Expected `A.above` to be a finite number',
    ],
    [
      { name: 'A', type: 'ratio', numerator: { metric: 'x' }, denominator: [], above: 1 },
      'Expected `A.denominator` to be an array of at least one selector',
    ],
    [
      { ...burning, objective: 0.9, windows: [] },
      'Expected `A.windows` to be an array of at least one pair',
    ],
    [
      {
        ...burning,
        objective: 0.9,
        windows: [{ long: 3_600_000, short: 300_000, factor: 14.4 }],
      },
      'Expected `A.windows[0].factor` to be a number from 0.001 to 10',
    ],
    [{ ...burning, objective: 0.8 }, 'Expected `A.windows` to be given, with factors below 5'],
    [
      { name: 'A', type: 'threshold', metric: 'x', above: Infinity },
      'Expected `A.above` to be a finite number',
    ],
    [
      { name: 'A', type: 'regression', metric: 'x', alpha: NaN },
      'Expected `A.alpha` to be a number from',
    ],
  ] as [Rule, string][])('refuses %j', (rule, message) => {
    expect(() => new Guard(new Registry(), { rules: [rule] })).toThrow(message)
  })
})
