import type { Series } from '../instrument/series.ts'
import { type Distribution, emptyDistribution, merge } from '../store/distribution.ts'
import { FINEST_SCHEMA } from '../store/exponential.ts'
import { ringOf } from '../window/window-ring.ts'
import { distributionStats } from '../window/window-stats.ts'
import { burnRate } from './burn-rate.ts'
import { type Evaluator, type Finding, UNKNOWN } from './finding.ts'
import { History } from './history.ts'
import { knownValues, leak } from './leak.ts'
import { regression } from './regression.ts'
import type { RatioRule, Rule, ThresholdRule } from './rules.ts'
import { type Families, RunningTotal, select } from './select.ts'

export function evaluatorOf(rule: Rule): Evaluator {
  switch (rule.type) {
    case 'threshold':
      return { evaluate: (families, now) => threshold(rule, families, now) }
    case 'ratio':
      return ratio(rule)
    case 'regression':
      return regression(rule)
    case 'leak':
      return leak(rule)
    case 'burn-rate':
      return burnRate(rule)
  }
}

function* threshold(
  rule: ThresholdRule,
  families: Families,
  now: number,
): Generator<void, Finding> {
  const { stat = 'value', window = 300_000 } = rule
  const series = select(rule, families)
  if (series.length === 0) return UNKNOWN
  let value: number
  if (stat === 'value') {
    const values = knownValues(series)
    if (values.length === 0) return UNKNOWN
    value = rule.above === undefined ? Math.min(...values) : Math.max(...values)
  } else if (series[0]!.type === 'histogram') {
    const { span, delta } = yield* windowOf(series, window, now)
    value = distributionStats(delta, span)[stat]
  } else {
    value = 0
    for (const one of series) {
      const view = ringOf(one, now)?.view(window, now)
      if (view !== undefined) value += ((view.delta as number) * 1000) / view.span
    }
  }
  return judge(rule, value)
}

function judge({ above, below }: { above?: number; below?: number }, value: number): Finding {
  if (Number.isNaN(value)) return UNKNOWN
  return above === undefined
    ? { holds: value < below!, value, limit: below! }
    : { holds: value > above, value, limit: above }
}

function ratio(rule: RatioRule): Evaluator {
  const { window = 300_000, minimum = 20 } = rule
  const [parts, wholes] = [new RunningTotal([rule.numerator]), new RunningTotal(rule.denominator)]
  const part = new History(window)
  const whole = new History(window)
  return {
    evaluate(families, now) {
      part.add(now, parts.read(families))
      whole.add(now, wholes.read(families))
      const size = whole.increase(window, now)
      return size < minimum ? UNKNOWN : judge(rule, part.increase(window, now) / size)
    },
  }
}

function* windowOf(
  series: readonly Series[],
  window: number,
  now: number,
): Generator<void, { span: number; delta: Distribution }> {
  let span = 1
  let delta = emptyDistribution(FINEST_SCHEMA)
  for (const one of series) {
    const view = one.type === 'histogram' ? ringOf(one, now)?.view(window, now) : undefined
    if (view === undefined) continue
    span = Math.max(span, view.span)
    delta = merge(delta, view.delta as Distribution)
    yield
  }
  return { span, delta }
}
