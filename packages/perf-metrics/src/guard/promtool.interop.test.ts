import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { collectRuntime } from '../collect.ts'
import { alertRules, type Rule } from '../guard.ts'
import { Registry } from '../index.ts'

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
${['Errors', 'HighHeap', 'Slow', 'Regressed']
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
      - eval_time: 14m
        alertname: Regressed
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

  it('sees a leak and a burnt budget, and neither in what is steady', () => {
    const alerts = (name: string, time: string, fires: boolean): string =>
      `      - eval_time: ${time}\n        alertname: ${name}\n        exp_alerts: ${fires ? '[{ exp_labels: { severity: warning } }]' : '[]'}\n`
    const test = (
      heap: string,
      failures: string,
      leaks: boolean,
      burns: boolean,
      requests = 1000,
    ): string => `
  - interval: 1m
    input_series:
      - series: heap_bytes
        values: '${heap}'
      - series: work_seconds_count
        values: '0+${requests}x120'
      - series: work_failures_total
        values: '${failures}'
    alert_rule_test:
${alerts('Leak', '110m', leaks)}${alerts('Budget', '110m', burns)}`
    const tests = [
      // A rise of 60 an hour from 50, and 2 % of failures: twenty times a budget of 0.1 %.
      test('50+1x120', '0+20x120', true, true),
      test('50x120', '0+1x120', false, false),
      // Of a few requests one failed, which is a high rate and says nothing.
      test('50x120', '0x107 1x12', false, false, 1),
      test('50x120', '0x107 1x12', false, false, 5),
    ]
    const file = `rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:${tests.join('')}`
    writeFileSync(join(folder, 'slow.yml'), file)
    promtool(['test', 'rules', 'slow.yml'])
  })
})
