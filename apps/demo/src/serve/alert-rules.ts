import type { Rule } from '@millrace/perf-metrics/guard'

/** What the page warns of. They hold after seconds, not minutes: a demo is short. */
export const rules: readonly Rule[] = [
  {
    name: 'FailedLookUps',
    type: 'ratio',
    numerator: { metric: 'demo_traffic_failures_total' },
    denominator: [{ metric: 'demo_traffic_seconds' }],
    above: 0.05,
    window: 60_000,
    minimum: 20,
    for: 0,
    recoverAfter: 5_000,
    severity: 'critical',
    summary: 'More than 5 % of the look-ups of the last minute failed',
  },
  {
    name: 'SlowLookUps',
    type: 'threshold',
    metric: 'demo_traffic_seconds',
    stat: 'p99',
    window: 60_000,
    above: 0.25,
    // Longer than 100 look-ups take: a single slow one, such as the first of all, is no reason to warn.
    for: 6_000,
    recoverAfter: 5_000,
    severity: 'warning',
    summary: 'One look-up of a hundred took longer than 250 ms',
  },
  {
    name: 'HeapGrows',
    type: 'leak',
    metric: 'nodejs_heap_size_after_gc_bytes',
    severity: 'warning',
    summary: 'What a collection leaves behind goes on growing',
  },
]
