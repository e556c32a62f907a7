import { expect, it } from 'vitest'
import type { RuleStatus } from '../guard.ts'
import type { Rule } from '../rules.ts'
import { alertSentence } from './alert-sentence.ts'

const status = (rule: Rule, found: Partial<RuleStatus>): RuleStatus => ({
  rule,
  state: 'tripped',
  since: 0,
  value: NaN,
  limit: NaN,
  lasted: 120_000,
  ...found,
})

const selector = { metric: 'x_total' }

it.each<[Rule, Partial<RuleStatus>, string]>([
  [
    { name: 'HitRatio', type: 'ratio', numerator: selector, denominator: [selector], below: 0.6 },
    { value: 0.407, limit: 0.6 },
    'hit ratio 40.7 %, below its limit of 60 % for 2 min',
  ],
  [
    { name: 'Errors', type: 'ratio', numerator: selector, denominator: [selector], above: 0.01 },
    { value: 0.004, limit: 0.01, state: 'ok' },
    'errors 0.4 %, within its limit of 1 %',
  ],
  [
    { name: 'Slow', type: 'threshold', metric: 'work_seconds', stat: 'p95', above: 0.5 },
    { value: 0.75, limit: 0.5, state: 'pending', lasted: 20_000 },
    'p95 of work_seconds 750 ms, above its limit of 500 ms for 20 s',
  ],
  [
    { name: 'Evicting', type: 'threshold', metric: 'evictions_total', stat: 'rate', above: 15 },
    { value: 12, limit: 15 },
    'rate of evictions_total 12/s, within its limit of 15/s for 2 min',
  ],
  [
    { name: 'Slower', type: 'regression', metric: 'work_seconds', quantile: 0.999 },
    {},
    'p99.9 of work_seconds: too little to judge by so far',
  ],
  [
    { name: 'Leak', type: 'leak', metric: 'heap_bytes' },
    { value: 72 * 2 ** 20, limit: 2 ** 20 },
    'growth of heap_bytes 72 MiB/h, above its limit of 1 MiB/h for 2 min',
  ],
  [
    { name: 'Budget', type: 'burn-rate', objective: 0.999, errors: selector, total: [selector] },
    { value: 20, limit: 14.4, lasted: 500 },
    'burn rate of budget 20x, above its limit of 14.4x',
  ],
])('%j reads as a sentence', (rule, found, sentence) => {
  expect(alertSentence(status(rule, found))).toBe(sentence)
})
