import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { seededRandom, VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { compareSnapshots, Guard, type Rule, type RuleStatus } from '../guard.ts'
import { Registry } from '../index.ts'

interface Watch {
  clock: VirtualClock
  metrics: Registry
  guard: Guard
  log: string[]
  run(seconds: number, each: () => void): void
}

function watch(rule: Rule): Watch {
  const clock = new VirtualClock(1_000_000)
  const metrics = new Registry({ clock })
  const log: string[] = []
  const guard = new Guard(metrics, {
    rules: [rule],
    clock,
    onTrip: ({ rule }) => {
      log.push(`trip ${rule.name}`)
    },
    onRecover: ({ rule }) => {
      log.push(`recover ${rule.name}`)
    },
  })
  const run = (seconds: number, each: () => void): void => {
    for (let second = 1; second <= seconds; second++) {
      each()
      // In steps of five, or what is left: guards look every ten seconds.
      if (second % 5 === 0) clock.advance(5000)
    }
    clock.advance((seconds % 5) * 1000)
  }
  return { clock, metrics, guard, log, run }
}

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

describe('a regression', () => {
  const rule: Rule = { name: 'Slower', type: 'regression', metric: 'work_seconds' }
  const random = seededRandom(9)
  const duration = (scale: number): number => -Math.log(1 - random()) * scale

  it('trips when the tail is slower than before, beyond chance', () => {
    const { metrics, log, run } = watch(rule)
    const timing = metrics.timing('work_seconds')
    run(1800, () => {
      for (let i = 0; i < 20; i++) timing.record(duration(10))
    })
    expect(log).toEqual([])
    run(300, () => {
      for (let i = 0; i < 20; i++) timing.record(duration(i === 0 ? 60 : 10))
    })
    expect(log).toEqual(['trip Slower'])
  })

  it('finds a step of +10 % within five minutes', () => {
    const { metrics, log, run } = watch(rule)
    const timing = metrics.timing('work_seconds')
    const observe = (scale: number) => () => {
      for (let i = 0; i < 100; i++) timing.record(duration(scale))
    }
    run(3600, observe(10))
    expect(log).toEqual([])
    run(300, observe(11))
    expect(log).toEqual(['trip Slower'])
  })

  it('is one of its quantile, not of the body alone', () => {
    const { metrics, log, run } = watch(rule)
    const timing = metrics.timing('work_seconds')
    const observe = (body: number) => () => {
      for (let i = 0; i < 20; i++) timing.record(random() < 0.05 ? 100 + duration(20) : body)
    }
    run(3600, observe(10))
    run(1200, observe(20))
    expect(log).toEqual([])
  })

  it('does not trip on a level that wanders by itself', () => {
    const { metrics, log, run } = watch(rule)
    const timing = metrics.timing('work_seconds')
    // Two tides that do not add up to a rhythm, and a load that follows the slow one.
    let second = 0
    run(18_000, () => {
      second++
      const slow = Math.sin(second / 2_000)
      const level = 10 * (1 + 0.15 * slow + 0.1 * Math.sin(second / 471))
      for (let i = 0; i < 4 + 2 * slow; i++) timing.record(duration(level))
    })
    expect(log).toEqual([])
  })

  it('does not trip on the noise of a steady service', () => {
    const { metrics, log, run } = watch(rule)
    const timing = metrics.timing('work_seconds')
    run(7200, () => {
      for (let i = 0; i < 5; i++) timing.record(duration(10))
    })
    expect(log).toEqual([])
  })
})

describe('a leak', () => {
  const rule: Rule = { name: 'Leak', type: 'leak', metric: 'heap_bytes', window: 600_000 }
  // A saw tooth of garbage collection over a slowly rising floor.
  const heap = (second: number, growth: number): number =>
    100e6 + Math.max(0, second - 1800) * growth + (second % 17) * 4e6

  it('is seen through the saw teeth of the heap', () => {
    const { metrics, log, run } = watch(rule)
    const gauge = metrics.gauge('heap_bytes')
    let second = 0
    run(1800, () => gauge.set(heap(second++, 0)))
    expect(log).toEqual([])
    run(900, () => gauge.set(heap(second++, 100_000)))
    expect(log).toEqual(['trip Leak'])
  })
})

describe('a leak in a real process', () => {
  const run = (kind: string): { trips: number[]; kept: number } => {
    const file = fileURLToPath(new URL('./leaking-process.fixture.ts', import.meta.url))
    const flags = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']
    const output = execFileSync(process.execPath, ['--expose-gc', ...flags, file, kind])
    return JSON.parse(output.toString())
  }

  it('is found, and its size too', () => {
    const { trips, kept } = run('leaking')
    expect(kept).toBe(960)
    expect(trips).toHaveLength(1)
    // 20 kB a second are 72 MB an hour.
    expect(trips[0]).toBeGreaterThan(50e6)
    expect(trips[0]).toBeLessThan(110e6)
  })

  it('is not seen where there is none', () => {
    expect(run('steady')).toEqual({ trips: [], kept: 0 })
  })

  it('is not seen in a gauge that was set but once or never', () => {
    const { metrics, log, run } = watch({ name: 'Leak', type: 'leak', metric: 'heap_bytes' })
    const gauge = metrics.gauge('heap_bytes')
    run(900, () => {})
    gauge.set(10)
    run(900, () => {})
    gauge.set(20)
    run(1800, () => {})
    expect(log).toEqual([])
  })

  it('is not seen in teeth that are minutes long', () => {
    const { metrics, log, run } = watch({ name: 'Leak', type: 'leak', metric: 'heap_bytes' })
    const gauge = metrics.gauge('heap_bytes')
    let second = 0
    run(7200, () => gauge.set(20e6 + (second++ % 550) * 40_000))
    expect(log).toEqual([])
  })
})

describe('a burn rate', () => {
  it('trips on a fast burn, and not on a short peak', () => {
    const { metrics, log, run } = watch({
      name: 'Budget',
      type: 'burn-rate',
      objective: 0.999,
      errors: { metric: 'errors_total' },
      total: [{ metric: 'requests_total' }],
    })
    const errors = metrics.counter('errors_total')
    const requests = metrics.counter('requests_total')
    run(7200, () => requests.inc(100))
    run(20, () => {
      requests.inc(100)
      errors.inc(50)
    })
    run(600, () => requests.inc(100))
    expect(log).toEqual([])
    run(3600, () => {
      requests.inc(100)
      errors.inc(2)
    })
    expect(log).toEqual(['trip Budget'])
  })
})

describe('a burn rate with little traffic', () => {
  it('does not trip on one failure of one, or of twenty', () => {
    const { metrics, log, run } = watch({
      name: 'Budget',
      type: 'burn-rate',
      objective: 0.999,
      errors: { metric: 'errors_total' },
      total: [{ metric: 'requests_total' }],
    })
    const errors = metrics.counter('errors_total')
    const requests = metrics.counter('requests_total')
    errors.inc()
    requests.inc()
    run(60, () => {})
    expect(log).toEqual([])
    run(19, () => requests.inc())
    run(60, () => {})
    expect(log).toEqual([])
    run(20, () => {
      requests.inc()
      errors.inc()
    })
    expect(log).toEqual(['trip Budget'])
  })
})

describe('a guard', () => {
  it('says once which metrics its rules name in vain', async () => {
    const warnings: Error[] = []
    const listen = (warning: Error) => warnings.push(warning)
    process.on('warning', listen)
    const { run } = watch({ name: 'A', type: 'threshold', metric: 'missspelt', above: 1 })
    run(60, () => {})
    await new Promise(resolve => setImmediate(resolve))
    process.off('warning', listen)
    expect(warnings.map(String)).toEqual(['Warning: Rule A: there is no metric "missspelt" yet'])
  })

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

  it.each([
    [
      { name: 'a b', type: 'threshold', metric: 'x', above: 1 },
      'Expected `rule.name` to be letters',
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
      'Expected `A.above` to be a number',
    ],
    [
      { name: 'A', type: 'ratio', numerator: { metric: 'x' }, denominator: [], above: 1 },
      'Expected `A.denominator` to be an array of at least one selector',
    ],
    [
      {
        name: 'A',
        type: 'burn-rate',
        objective: 0.9,
        errors: { metric: 'e' },
        total: [{ metric: 't' }],
        windows: [],
      },
      'Expected `A.windows` to be an array of at least one pair',
    ],
    [
      { name: 'A', type: 'regression', metric: 'x', alpha: NaN },
      'Expected `A.alpha` to be a number from',
    ],
  ] as [Rule, string][])('refuses %j', (rule, message) => {
    expect(() => new Guard(new Registry(), { rules: [rule] })).toThrow(message)
  })
})

describe('the comparison of snapshots', () => {
  const random = seededRandom(11)
  function snapshot(scale: number, n = 5000) {
    const metrics = new Registry()
    const timing = metrics.timing('work_seconds', { labels: ['kind'] })
    for (let i = 0; i < n; i++) {
      timing.record({ kind: 'changed' }, -Math.log(1 - random()) * scale)
      timing.record({ kind: 'steady' }, -Math.log(1 - random()) * 10)
    }
    return JSON.parse(JSON.stringify(metrics))
  }

  it('finds what regressed, improved, stayed, and what is too little to tell', () => {
    const verdicts = (before: number, after: number, n?: number): string[] =>
      compareSnapshots(snapshot(before), snapshot(after, n)).comparisons.map(c => c.verdict)
    expect(verdicts(10, 15)).toEqual(['regressed', 'same'])
    expect(verdicts(15, 10)).toEqual(['improved', 'same'])
    expect(verdicts(10, 10)).toEqual(['same', 'same'])
    expect(verdicts(10, 30, 50)).toEqual(['too few', 'too few'])
    const empty = JSON.parse(JSON.stringify(new Registry()))
    for (const [options, message] of [
      [{ quantil: 0.9 }, 'did you mean `quantile`?'],
      [{ quantile: 1 }, 'Expected `quantile` to be a number from 0.01 to 0.9999'],
      [{ alpha: NaN }, 'Expected `alpha`'],
      [{ metrics: 'a' }, 'Expected `metrics` to be a regular expression'],
    ] as const) {
      expect(() => compareSnapshots(empty, empty, options as never)).toThrow(message)
    }
    expect(() => compareSnapshots({} as never, {} as never)).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_METRICS_SNAPSHOT' }),
    )
  })

  it('ends a build by its exit code', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-metrics-'))
    try {
      const file = (name: string, scale: number): string => {
        const path = join(folder, name)
        writeFileSync(path, JSON.stringify(snapshot(scale)))
        return path
      }
      const [base, same, slow] = [file('a.json', 10), file('b.json', 10), file('c.json', 20)]
      const cli = fileURLToPath(new URL('../compare-cli.ts', import.meta.url))
      const node = ['--disable-warning=ExperimentalWarning', cli]
      execFileSync(process.execPath, [...node, base, same])
      const { status, stdout } = spawnSync(process.execPath, [...node, base, slow])
      expect(status).toBe(1)
      expect(stdout.toString()).toMatch(/^regressed work_seconds\{kind=changed\}: .* ms -> .* ms/)
      expect(spawnSync(process.execPath, [...node, base]).status).toBe(2)
      expect(spawnSync(process.execPath, [...node, base, 'missing.json']).status).toBe(2)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
