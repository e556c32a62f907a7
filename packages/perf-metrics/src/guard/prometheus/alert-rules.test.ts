import { describe, expect, it } from 'vitest'
import { collectRuntime } from '../../collect.ts'
import { alertRules, type Rule } from '../../guard.ts'
import { Registry } from '../../index.ts'
import { studentTail } from '../../statistics/student.ts'
import { promStudent } from './promql-chance.ts'

function expressionOf(rule: Rule): string {
  const metrics = new Registry()
  metrics.timing('work_seconds')
  metrics.counter('hits', { labels: ['cache'] })
  metrics.gauge('heap_bytes')
  const line = /expr: (".*")/.exec(alertRules(metrics, [rule]))![1]!
  return JSON.parse(line)
}

describe('alert rules', () => {
  it.each<[Rule, string]>([
    [{ name: 'A', type: 'threshold', metric: 'heap_bytes', above: 1e9 }, 'heap_bytes > 1000000000'],
    [
      { name: 'A', type: 'threshold', metric: 'work_seconds', stat: 'p999', above: 0.2 },
      'histogram_quantile(0.999, sum by (le) (rate(work_seconds_bucket[5m]))) > 0.2',
    ],
    [
      { name: 'A', type: 'threshold', metric: 'work_seconds', stat: 'mean', below: 1 },
      'sum(rate(work_seconds_sum[5m])) / sum(rate(work_seconds_count[5m])) < 1',
    ],
    [
      {
        name: 'A',
        type: 'ratio',
        numerator: { metric: 'hits', labels: { cache: 'a"b' } },
        denominator: [{ metric: 'hits' }, { metric: 'misses_total' }],
        below: 0.7,
        window: 90_000,
      },
      'sum(rate(hits_total{cache="a\\"b"}[90s])) / (sum(rate(hits_total[90s])) + sum(rate(misses_total[90s]))) < 0.7',
    ],
    [
      {
        name: 'A',
        type: 'burn-rate',
        objective: 0.999,
        errors: { metric: 'work_failures_total' },
        total: [{ metric: 'work_seconds' }],
        windows: [{ long: 3_600_000, short: 300_000, factor: 14.4 }],
      },
      '(sum(rate(work_failures_total[1h])) / sum(rate(work_seconds_count[1h])) > 14.4 * 0.001 and sum(rate(work_failures_total[5m])) / sum(rate(work_seconds_count[5m])) > 14.4 * 0.001 and sum(rate(work_seconds_count[5m])) * 300 >= 20 and sum(rate(work_failures_total[1h])) * 3600 > sum(rate(work_seconds_count[1h])) * 3600 * 0.001 + 4 * sqrt(sum(rate(work_seconds_count[1h])) * 3600 * 0.001) + 2)',
    ],
  ])('say %j in PromQL', (rule, expected) => {
    expect(expressionOf(rule)).toBe(expected)
  })

  // What they find is the business of promtool.interop.test.ts.
  it('ask of a regression what its options say', () => {
    const rule = { name: 'A', type: 'regression', metric: 'work_seconds' } as const
    const labels = { kind: 'x' }
    const options = { quantile: 0.9, window: 60_000, baseline: 3_600_000, labels } as const
    const expression = expressionOf({ ...rule, ...options, tolerance: 0.1, minimum: 500 })
    expect(expression).toMatch(
      /^\(histogram_quantile\(0\.9, sum by \(le\) \(rate\(work_seconds_bucket\{kind="x"\}\[1m\]\)\)\) and sum\(increase\(work_seconds_count\{kind="x"\}\[1m\]\)\) >= 500\) > /,
    )
    expect(expression).toContain('[1h:1m] offset 3m')
    expect(expression).toContain(', 0.0953102))')
    // A quantile of the tail has ten values beyond it.
    expect(expressionOf(rule)).toContain('>= 1000)')
    expect(expressionOf({ ...rule, alpha: 0.01 })).not.toBe(expressionOf(rule))
  })

  it('ask of a leak what its options say, and of processes that have run for long', () => {
    const rule = { name: 'A', type: 'leak', metric: 'heap_bytes' } as const
    const slow = expressionOf({ ...rule, window: 3 * 86_400_000, growthPerHour: 1e7 })
    expect(slow).toContain(' > 10000000 and ')
    expect(slow).toContain('min_over_time(heap_bytes[72h])')
    expect(slow).not.toContain(' or ')
    expect(expressionOf(rule)).toMatch(/\[3h\].*0\.1 \* abs.* or .*\[24h\].*0\.005 \* abs/)
    const metrics = new Registry()
    metrics.gauge('heap_bytes', { labels: ['space'] })
    using _ = collectRuntime(metrics)
    const text = alertRules(metrics, [rule])
    expect(text).toContain('sum without (space) (min_over_time(heap_bytes[24h]))')
    expect(text).toContain('and on (job, instance) time() - process_start_time_seconds >= 69120')
  })

  it.each([1e-4, 0.001, 0.01])('know what Student t reaches with %d', alpha => {
    const terms = /^\(([\d.]+) \+ ([\d.]+) \/ .* \+ ([\d.]+) \/ .* \^ 3\)$/.exec(
      promStudent(alpha, 'n'),
    )!
    const [normal, first, third] = terms.slice(1).map(Number)
    for (const freedom of [3, 4, 5, 8, 10, 15, 24, 1000]) {
      const t = normal! + first! / freedom + third! / freedom ** 3
      expect(studentTail(t * 0.95, freedom)).toBeGreaterThan(alpha)
      expect(studentTail(t * 1.05, freedom)).toBeLessThan(alpha)
    }
  })
})
