import { quantity } from '../../export/summary.ts'
import type { RuleStatus } from '../guard.ts'
import type { Rule, RuleLimits } from '../rules.ts'

/** What a rule found, for people: `hit ratio 40.7 %, below its limit of 60 % for 2 min`. */
export function alertSentence({ rule, state, value, limit, lasted }: RuleStatus): string {
  if (!Number.isFinite(value)) return `${subjectOf(rule)}: too little to judge by so far`
  const unit = unitOf(rule)
  const below = (rule as RuleLimits).below !== undefined
  const beyond = below ? value < limit : value > limit
  const relation = beyond ? (below ? 'below' : 'above') : 'within'
  const sentence = `${subjectOf(rule)} ${show(value, unit)}, ${relation} its limit of ${show(limit, unit)}`
  // A value within the limit of a rule that has tripped is one that recovers.
  return lasted >= 1000 && (beyond || state === 'tripped')
    ? `${sentence} for ${quantity(Math.round(lasted / 1000), 'seconds')}`
    : sentence
}

function subjectOf(rule: Rule): string {
  switch (rule.type) {
    case 'threshold': {
      const { stat = 'value', metric } = rule
      return stat === 'value' ? metric : `${stat} of ${metric}`
    }
    case 'ratio':
      return words(rule.name)
    case 'regression':
      return `p${Number(((rule.quantile ?? 0.99) * 100).toPrecision(4))} of ${rule.metric}`
    case 'leak':
      return `growth of ${rule.metric}`
    case 'burn-rate':
      return `burn rate of ${words(rule.name)}`
  }
}

/** `HitRatio` and `hit_ratio` as `hit ratio`. */
function words(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .trim()
    .toLowerCase()
}

function unitOf(rule: Rule): string {
  if (rule.type === 'ratio') return 'ratio'
  if (rule.type === 'burn-rate') return 'times'
  const unit = /_(seconds|bytes|ratio)$/.exec(rule.metric)?.[1] ?? ''
  if (rule.type === 'leak') return `${unit}/h`
  return rule.type === 'threshold' && rule.stat === 'rate' ? '/s' : unit
}

function show(value: number, unit: string): string {
  const [, quantified, per] = /^([a-z]*)(\/[sh])?$/.exec(unit)!
  if (quantified === 'times') return `${quantity(value, '')}x`
  return quantity(value, quantified!) + (per ?? '')
}
