import { InvalidOptionError } from '../errors.ts'

/** Which series of a metric are meant: all that have these label values. Counters are added up. */
export interface Selector {
  /** Name of the metric, as it was defined. */
  metric: string
  labels?: Readonly<Record<string, string>>
}

interface RuleBase {
  /** Of letters, digits and underscores, as Prometheus names alerts: `HighErrorRate`. */
  name: string
  /** Milliseconds that the condition must hold before the rule trips, 0 or more. Default 0. */
  for?: number
  /** Milliseconds that it must not hold before the rule recovers, 0 or more. Default: as `for`, at least 60,000. */
  recoverAfter?: number
  severity?: 'info' | 'warning' | 'critical'
  /** A sentence for whoever is woken. */
  summary?: string
}

interface Limits {
  /** Trips above this value. */
  above?: number
  /** Trips below this value. */
  below?: number
}

/** A gauge, a rate or a quantile leaves its limits: memory, evictions per second, latency. */
export interface ThresholdRule extends RuleBase, Limits, Selector {
  type: 'threshold'
  /**
   * What to compare: the `value` of a gauge (of several, the worst), the `rate` per second of a counter, or of a
   * histogram its `mean` or a quantile, in its unit. Default `value`.
   */
  stat?: 'value' | 'rate' | 'mean' | 'p50' | 'p90' | 'p95' | 'p99' | 'p999'
  /** Milliseconds over which rates and quantiles are taken: 60,000, 300,000 (default) or 900,000. */
  window?: 60_000 | 300_000 | 900_000
}

/** A share leaves its limits: errors among requests, hits among look-ups. */
export interface RatioRule extends RuleBase, Limits {
  type: 'ratio'
  numerator: Selector
  /** The whole, as the sum of its parts: `[hits, misses]`. */
  denominator: readonly Selector[]
  /** Milliseconds that are looked at, 10,000 to a day. Default 300,000. */
  window?: number
  /** Least size of the whole to judge by. Default 20. */
  minimum?: number
}

/** A quantile is worse than in a baseline, by more than a tolerance and by more than chance. */
export interface RegressionRule extends RuleBase, Selector {
  type: 'regression'
  /** Default 0.99. */
  quantile?: number
  /** Tolerated rise as a share. Default 0.1. */
  tolerance?: number
  /** Probability of a false alarm per evaluation. Default 0.001. */
  alpha?: number
  /** Milliseconds that are judged: 60,000 or 300,000 (default). The 15 minutes are the baseline. */
  window?: 60_000 | 300_000
  /** Least observations to judge by. Default 100. */
  minimum?: number
}

/** A gauge rises steadily: memory that nobody frees, handles that nobody closes. */
export interface LeakRule extends RuleBase, Selector {
  type: 'leak'
  /** Milliseconds of the past that are looked at, 60,000 to a day. Default 1,800,000. */
  window?: number
  /** Rise per hour from which a steady trend trips, in the gauge's unit. Default: a tenth of its value at the start. */
  growthPerHour?: number
}

/** An error budget is spent faster than its period allows, over a long window and a short one at once. */
export interface BurnRateRule extends RuleBase {
  type: 'burn-rate'
  /** The share that must succeed, such as 0.999. */
  objective: number
  errors: Selector
  total: readonly Selector[]
  /**
   * Long and short windows in milliseconds and the multiple of the sustainable rate that trips. Default: 14.4 over 1 h and
   * 5 min, 6 over 6 h and 30 min (Site Reliability Workbook, chapter 5).
   */
  windows?: readonly { long: number; short: number; factor: number }[]
}

export type Rule = ThresholdRule | RatioRule | RegressionRule | LeakRule | BurnRateRule

export const DEFAULT_BURN_WINDOWS: NonNullable<BurnRateRule['windows']> = [
  { long: 3_600_000, short: 300_000, factor: 14.4 },
  { long: 21_600_000, short: 1_800_000, factor: 6 },
]

const DAY = 86_400_000

/** @throws InvalidOptionError naming the rule and the field */
export function validateRules(rules: readonly Rule[]): void {
  const names = new Set<string>()
  for (const rule of rules) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(rule.name)) {
      throw new InvalidOptionError('rule.name', 'letters, digits and underscores', rule.name)
    }
    const at = (field: string): string => `${rule.name}.${field}`
    if (names.has(rule.name)) throw new InvalidOptionError(at('name'), 'unique', rule.name)
    names.add(rule.name)
    inRange(at('for'), rule.for ?? 0, 0, DAY)
    inRange(at('recoverAfter'), rule.recoverAfter ?? 0, 0, DAY)
    if (rule.type === 'threshold' || rule.type === 'ratio') {
      if ((rule.above === undefined) === (rule.below === undefined)) {
        throw new InvalidOptionError(at('above'), 'given, or `below`, but not both', rule.above)
      }
    }
    if (rule.type === 'threshold') oneOf(at('window'), rule.window, [60_000, 300_000, 900_000])
    if (rule.type === 'ratio') inRange(at('window'), rule.window ?? 300_000, 10_000, DAY)
    if (rule.type === 'leak') inRange(at('window'), rule.window ?? 1_800_000, 60_000, DAY)
    if (rule.type === 'regression') {
      oneOf(at('window'), rule.window, [60_000, 300_000])
      inRange(at('quantile'), rule.quantile ?? 0.99, 0.01, 0.9999)
      inRange(at('tolerance'), rule.tolerance ?? 0.1, 0, 100)
    }
    if (rule.type === 'burn-rate') inRange(at('objective'), rule.objective, 0.5, 0.999999)
  }
}

function inRange(option: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return
  throw new InvalidOptionError(option, `from ${least} to ${most}`, value)
}

function oneOf(option: string, value: number | undefined, choices: readonly number[]): void {
  if (value === undefined || choices.includes(value)) return
  throw new InvalidOptionError(option, `one of ${choices.join(', ')}`, value)
}
