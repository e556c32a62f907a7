import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { collectRuntime } from '../../collect.ts'
import { alertRules, type Rule } from '../../guard.ts'
import { Registry } from '../../index.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-promtool-'))
afterAll(() => rmSync(folder, { recursive: true }))

function promtool(args: string[], input?: string): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, cwd: folder })
  expect(`${stdout}${stderr}`.replaceAll(/^.*SUCCESS.*$/gm, ''), args.join(' ')).not.toMatch(
    /error|FAILED/i,
  )
  expect(status, `${stdout}${stderr}`).toBe(0)
}

const rules: Rule[] = [
  { name: 'HighHeap', type: 'threshold', metric: 'heap_bytes', above: 100, for: 120_000 },
  { name: 'Slow', type: 'threshold', metric: 'work_seconds', stat: 'p99', above: 0.5 },
  {
    name: 'Errors',
    type: 'ratio',
    numerator: { metric: 'work_failures_total' },
    denominator: [{ metric: 'work_seconds' }],
    above: 0.01,
    severity: 'critical',
    summary: 'More than 1 % of "work" fails',
  },
  { name: 'Regressed', type: 'regression', metric: 'work_seconds' },
  { name: 'Leak', type: 'leak', metric: 'heap_bytes' },
  {
    name: 'Budget',
    type: 'burn-rate',
    objective: 0.999,
    errors: { metric: 'work_failures_total' },
    total: [{ metric: 'work_seconds' }],
  },
]

describe('promtool', () => {
  it('accepts and lints what a registry exposes', () => {
    const metrics = new Registry()
    using _ = collectRuntime(metrics)
    const requests = metrics.counter('http_requests_total', {
      help: 'Requests "served"\\ by\nus',
      labels: ['method', 'path'],
    })
    requests.inc({ method: 'GET', path: 'a"b\\c\nd{},= é 値' })
    metrics.timing('work_seconds').record(3)
    metrics.observe('cache', { stats: () => ({ hits: 1, misses: 2, removals: { ttl: 1 } }) })
    promtool(['check', 'metrics'], metrics.toPrometheus())
  })

  it('accepts the alert rules', () => {
    const metrics = new Registry()
    metrics.timing('work_seconds')
    metrics.gauge('heap_bytes')
    writeFileSync(join(folder, 'rules.yml'), alertRules(metrics, rules))
    promtool(['check', 'rules', 'rules.yml'])
  })

  it('sees them fire when and only when they should', () => {
    const test = `
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: heap_bytes
        values: '50x10 200x20'
      - series: work_seconds_count
        values: '0+100x30'
      - series: work_failures_total
        values: '0x10 0+20x20'
      - series: work_seconds_bucket{le="0.25"}
        values: '0+100x10 1000+50x20'
      - series: work_seconds_bucket{le="1"}
        values: '0+100x30'
      - series: work_seconds_bucket{le="+Inf"}
        values: '0+100x30'
    alert_rule_test:
${['Errors', 'HighHeap', 'Slow']
  .map(name => `      - eval_time: 9m\n        alertname: ${name}\n        exp_alerts: []\n`)
  .join('')}
      - eval_time: 12m
        alertname: HighHeap
        exp_alerts: []
      - eval_time: 20m
        alertname: HighHeap
        exp_alerts: [{ exp_labels: { severity: warning } }]
      - eval_time: 20m
        alertname: Slow
        exp_alerts: [{ exp_labels: { severity: warning } }]
      - eval_time: 20m
        alertname: Errors
        exp_alerts:
          - exp_labels: { severity: critical }
            exp_annotations: { summary: 'More than 1 % of "work" fails' }
`
    writeFileSync(join(folder, 'test.yml'), test)
    promtool(['test', 'rules', 'test.yml'])
  })

  it('sees a burnt budget, and none in what is steady or rare', () => {
    const test = (failures: string, burns: boolean, requests = 1000): string => `
  - interval: 1m
    input_series:
      - series: work_seconds_count
        values: '0+${requests}x120'
      - series: work_failures_total
        values: '${failures}'
    alert_rule_test:
${alertsAt('Budget', [110], burns)}`
    const tests = [
      // 2 % of failures: twenty times a budget of 0.1 %.
      test('0+20x120', true),
      test('0+1x120', false),
      // Of a few requests one failed, which is a high rate and says nothing.
      test('0x107 1x12', false, 1),
      test('0x107 1x12', false, 5),
    ]
    promtoolTests('Budget', 1, tests)
  })

  it('sees a step of a quantile, and none in what is noisy, drifts, or is rare', () => {
    const random = seeded(5)
    /** Latency around `scale(minute)`, in classic buckets. */
    const test = (scale: (minute: number) => number, perMinute: number, steps: boolean): string => {
      const bounds = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 2.5]
      const counts = bounds.map(() => 0)
      const lines: number[][] = bounds.map(() => [0])
      for (let minute = 0; minute < 240; minute++) {
        for (let i = 0; i < perMinute; i++) {
          const value = scale(minute) * Math.exp(0.4 * normal(random))
          for (let b = bounds.length - 1; b >= 0 && value <= bounds[b]!; b--) counts[b]!++
        }
        for (const [b, line] of lines.entries()) line.push(counts[b]!)
      }
      const total = Array.from({ length: 241 }, (_, minute) => minute * perMinute).join(' ')
      const series = lines.map(
        (line, b) =>
          `      - series: work_seconds_bucket{le="${bounds[b]}"}\n        values: '${line.join(' ')}'\n`,
      )
      return `
  - interval: 1m
    input_series:
${series.join('')}      - series: work_seconds_bucket{le="+Inf"}
        values: '${total}'
      - series: work_seconds_count
        values: '${total}'
    alert_rule_test:
${alertsAt('Regressed', steps ? [190] : TIMES, steps)}${alertsAt('Regressed', [100, 140, 175], false)}`
    }
    const TIMES = Array.from({ length: 30 }, (_, i) => 90 + 5 * i)
    let drift = 0
    const drifting = Array.from(
      { length: 240 },
      () => (drift = 0.98 * drift + 0.02 * normal(random)),
    )
    promtoolTests('Regressed', 5, [
      test(minute => (minute < 180 ? 0.15 : 0.18), 1000, true),
      test(() => 0.15, 1000, false),
      test(minute => 0.15 * Math.exp(drifting[minute]!), 1000, false),
      test(minute => (minute < 180 ? 0.15 : 0.18), 10, false),
    ])
  })

  it('sees a floor that rises, and none in teeth, in days, or in what wanders', () => {
    const random = seeded(7)
    /** MB by minute. */
    const test = (
      level: (minute: number) => number,
      hours: number,
      at: number[],
      leaks: boolean,
    ) => {
      const values = Array.from({ length: hours * 60 + 1 }, (_, minute) =>
        Math.round(level(minute) + 2 * normal(random)),
      )
      return `
  - interval: 1m
    input_series:
      - series: heap_bytes{instance="a"}
        values: '${values.join(' ')}'
    alert_rule_test:
${alertsAt('Leak', at, leaks, ', instance: a')}`
    }
    const teeth = (minute: number): number => 100 + (minute % 50)
    const day = (minute: number): number => 100 - 40 * Math.cos((minute / 1440) * 2 * Math.PI)
    let level = 100
    const wandering = Array.from(
      { length: 40 * 60 + 1 },
      () => (level = Math.abs(level + normal(random))),
    )
    /** Every other hour, as each look at a day costs promtool a tenth of a second. */
    const from = (first: number, last: number): number[] =>
      Array.from({ length: (last - first) / 2 + 1 }, (_, i) => (first + 2 * i) * 60)
    promtoolTests('Leak', 120, [
      // 20 % an hour is seen within hours, 2 % an hour in a day.
      test(minute => 100 + (minute % 5) + minute / 3, 7, [400], true),
      test(minute => teeth(minute) + minute / 30, 30, [29 * 60], true),
      test(teeth, 30, from(4, 30), false),
      test(day, 40, from(28, 40), false),
      test(minute => wandering[minute]!, 40, from(28, 40), false),
    ])
  })
})

function alertsAt(name: string, minutes: readonly number[], fires: boolean, labels = ''): string {
  const alerts = fires ? `[{ exp_labels: { severity: warning${labels} } }]` : '[]'
  return minutes
    .map(
      minute =>
        `      - eval_time: ${minute}m\n        alertname: ${name}\n        exp_alerts: ${alerts}\n`,
    )
    .join('')
}

/** Tests of one of the rules, which is evaluated every so many minutes. */
function promtoolTests(name: string, every: number, tests: readonly string[]): void {
  const file = `${name}-test.yml`
  const metrics = new Registry()
  metrics.timing('work_seconds')
  const one = rules.filter(rule => rule.name === name)
  writeFileSync(join(folder, `${name}.yml`), alertRules(metrics, one))
  const text = `rule_files: [${name}.yml]\nevaluation_interval: ${every}m\ntests:${tests.join('')}`
  writeFileSync(join(folder, file), text)
  promtool(['test', 'rules', file])
}

/** Mulberry32: the same numbers at every run, so that what promtool says of them is settled. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
