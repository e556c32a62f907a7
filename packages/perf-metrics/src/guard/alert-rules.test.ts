import { describe, expect, it } from 'vitest'
import { alertRules, type Rule } from '../guard.ts'
import { Registry } from '../index.ts'

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
      { name: 'A', type: 'regression', metric: 'work_seconds' },
      'histogram_quantile(0.99, sum by (le) (rate(work_seconds_bucket[5m]))) > 1.05 * histogram_quantile(0.99, sum by (le) (rate(work_seconds_bucket[15m] offset 5m)))',
    ],
    [
      { name: 'A', type: 'leak', metric: 'heap_bytes', growthPerHour: 1e7 },
      'sum(deriv(heap_bytes[24h])) * 3600 > 10000000',
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
})
