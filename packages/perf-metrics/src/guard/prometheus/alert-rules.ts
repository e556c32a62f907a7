import { checkMethods, checkText } from '@millrace/kit'
import type { Family } from '../../instrument/family.ts'
import type { Registry } from '../../registry/registry.ts'
import {
  type BurnRateRule,
  checkRules,
  DEFAULT_BURN_WINDOWS,
  holdOf,
  type Rule,
  type Selector,
  type ThresholdRule,
} from '../rules.ts'
import { promDuration, promName, promQuantile, promRate, promSelector } from './promql.ts'
import { promLeak } from './promql-leak.ts'
import { promRegression } from './promql-regression.ts'

type Families = ReadonlyMap<string, Family>

/**
 * The same rules for Prometheus, as the YAML of a rule file. Checked with `promtool check rules`. The registry tells
 * counters from histograms; metrics that it does not have yet are taken for counters.
 *
 * They promise what those of a `Guard` do, as far as PromQL can say it. A `regression` is judged by the quantile's noise and drift in the
 * windows before, not by the shares of values beyond it nor by its upper quartile: with few observations it waits for more of them, and
 * it sees a step later. A `leak` is a floor that rises by more than chance and is above those of the eight windows before, where a
 * `Guard` finds out how long the cycles are.
 */
export function alertRules(metrics: Registry, rules: readonly Rule[], group = 'millrace'): string {
  checkMethods('registry', metrics, 'a Registry', ['collect'])
  checkText('group', group)
  checkRules('rules', rules)
  const families: Families = new Map(
    metrics.collect().map(family => [family.description.name, family]),
  )
  const lines = ['groups:', `  - name: ${quoted(group)}`, '    rules:']
  for (const rule of rules) {
    lines.push(`      - alert: ${rule.name}`, `        expr: ${quoted(expression(rule, families))}`)
    const hold = holdOf(rule)
    if (hold > 0) {
      lines.push(`        for: ${promDuration(hold)}`)
    }
    if (rule.recoverAfter !== undefined && rule.recoverAfter > 0) {
      lines.push(`        keep_firing_for: ${promDuration(rule.recoverAfter)}`)
    }
    lines.push('        labels:', `          severity: ${rule.severity ?? 'warning'}`)
    if (rule.summary !== undefined) {
      lines.push('        annotations:', `          summary: ${quoted(rule.summary)}`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** A YAML scalar in double quotes, which JSON's are. */
function quoted(text: string): string {
  return JSON.stringify(text)
}

function expression(rule: Rule, families: Families): string {
  switch (rule.type) {
    case 'threshold':
      return `${thresholdValue(rule, families)} ${limit(rule)}`
    case 'ratio': {
      const range = promDuration(rule.window ?? 300_000)
      return `${share(rule.numerator, rule.denominator, range, families)} ${limit(rule)}`
    }
    case 'regression':
      return promRegression(rule)
    case 'leak':
      return promLeak(rule, families)
    case 'burn-rate':
      return burnRate(rule, families)
  }
}

function limit({ above, below }: { above?: number; below?: number }): string {
  return above === undefined ? `< ${below}` : `> ${above}`
}

function thresholdValue(rule: ThresholdRule, families: Families): string {
  const { stat = 'value', window = 300_000, metric, labels } = rule
  const range = promDuration(window)
  switch (stat) {
    case 'value':
      return promSelector(
        promName(metric, families.get(metric)?.description.type ?? 'gauge'),
        labels,
      )
    case 'rate':
      return promRate(rule, range, families)
    case 'mean': {
      const name = promName(metric, 'histogram')
      const part = (suffix: string): string =>
        `sum(rate(${promSelector(name + suffix, labels)}[${range}]))`
      return `${part('_sum')} / ${part('_count')}`
    }
    default:
      return promQuantile(Number(`0.${stat.slice(1)}`), rule, range)
  }
}

function share(
  part: Selector,
  whole: readonly Selector[],
  range: string,
  families: Families,
): string {
  const parts = whole.map(selector => promRate(selector, range, families))
  const sum = parts.length === 1 ? parts[0] : `(${parts.join(' + ')})`
  return `${promRate(part, range, families)} / ${sum}`
}

/**
 * As in a `Guard`, failures must be too many for chance besides: above what a service that spends its budget exactly has in the long
 * window, by four standard deviations and two (where few are expected, a single one is many deviations).
 */
function burnRate(rule: BurnRateRule, families: Families): string {
  const { errors, total, objective, windows = DEFAULT_BURN_WINDOWS, minimum = 20 } = rule
  // A product of two shares has digits that were not meant.
  const budget = Number((1 - objective).toPrecision(6))
  const events = (selectors: readonly Selector[], window: number): string => {
    const range = promDuration(window)
    const rates = selectors.map(selector => promRate(selector, range, families))
    return `${rates.length === 1 ? rates[0] : `(${rates.join(' + ')})`} * ${window / 1000}`
  }
  return windows
    .map(({ long, short, factor }) => {
      const burns = (window: number): string =>
        `${share(errors, total, promDuration(window), families)} > ${factor} * ${budget}`
      const expected = `${events(total, long)} * ${budget}`
      const chance = `${expected} + 4 * sqrt(${expected}) + 2`
      const enough = `${events(total, short)} >= ${minimum}`
      return `(${burns(long)} and ${burns(short)} and ${enough} and ${events([errors], long)} > ${chance})`
    })
    .join(' or ')
}
