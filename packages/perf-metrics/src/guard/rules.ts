import {
  asGiven,
  checkList,
  checkOneOf,
  checkRange,
  checkRecord,
  checkText,
  type OptionRule,
  optional,
  required,
  resolveOptions,
} from '@millrace/kit'
import { InvalidOptionError } from '../errors.ts'
import type { MetricType } from '../metric/family-description.ts'

/** Which series of a metric are meant: all that have these label values. Counters are added up. */
export interface Selector {
  /** Name of the metric, as it was defined. */
  readonly metric: string
  readonly labels?: Readonly<Record<string, string>> | undefined
}

/** What all rules have. */
export interface RuleBase {
  /** Of letters, digits and underscores, as Prometheus names alerts: `HighErrorRate`. */
  readonly name: string
  /**
   * ms that the condition must hold before the rule trips, 0 or more. Default: 60,000, as a trip may roll something back; 0 for
   * `burn-rate`, whose short window does the same
   */
  readonly for?: number | undefined
  /** ms that it must not hold before the rule recovers, 0 or more. Default: as `for`, at least 60,000 */
  readonly recoverAfter?: number | undefined
  /** Default: `warning` */
  readonly severity?: 'info' | 'warning' | 'critical' | undefined
  /** A sentence for the person who is called. */
  readonly summary?: string | undefined
}

/** One of the two must be given. */
export interface RuleLimits {
  /** Trips above this value. Default: no upper bound */
  readonly above?: number | undefined
  /** Trips below this value. Default: no lower bound */
  readonly below?: number | undefined
}

/** A gauge, a rate or a quantile leaves its limits: memory, evictions per second, latency. */
export interface ThresholdRule extends RuleBase, RuleLimits, Selector {
  readonly type: 'threshold'
  /**
   * What to compare: the `value` of a gauge (of several, the worst), the `rate` per second of a counter, or of a
   * histogram its `mean` or a quantile, in its unit. Default: `value`
   */
  readonly stat?: 'value' | 'rate' | 'mean' | 'p50' | 'p90' | 'p95' | 'p99' | 'p999' | undefined
  /** ms over which rates and quantiles are taken: 60,000, 300,000 or 900,000. Default: 300,000 */
  readonly window?: 60_000 | 300_000 | 900_000 | undefined
}

/** A share leaves its limits, which are from 0 to 1: errors among requests, hits among look-ups. */
export interface RatioRule extends RuleBase, RuleLimits {
  readonly type: 'ratio'
  readonly numerator: Selector
  /** The whole, as the sum of its parts: `[hits, misses]`. */
  readonly denominator: readonly Selector[]
  /** ms that are looked at, 10,000 to a day. Default: 300,000 */
  readonly window?: number | undefined
  /** Least size of the whole to judge by. Default: 20 */
  readonly minimum?: number | undefined
}

/** A quantile is worse than in a baseline, by more than a tolerance and by more than chance. */
export interface RegressionRule extends RuleBase, Selector {
  readonly type: 'regression'
  /** From 0.01 to 0.9999. Default: 0.99 */
  readonly quantile?: number | undefined
  /** Tolerated rise as a share. Default: 0.05 */
  readonly tolerance?: number | undefined
  /** Probability of a false alarm per evaluation, above 0, below 0.5. Default: 0.0001 */
  readonly alpha?: number | undefined
  /** ms that are judged: 60,000 or 300,000. Default: 300,000 */
  readonly window?: 60_000 | 300_000 | undefined
  /** ms before the window that it is compared with, at least four windows. Default: 7,200,000 */
  readonly baseline?: number | undefined
  /** Least observations to judge by, in a window and in each piece of the baseline. Default: 100 */
  readonly minimum?: number | undefined
}

/** The floor of a gauge rises: memory that is not freed, handles that are not closed. */
export interface LeakRule extends RuleBase, Selector {
  readonly type: 'leak'
  /**
   * ms of the past that are looked at, 60,000 to a week: longer than the longest cycle of the gauge, be it of the garbage collector or
   * of day and night. Default: a day, and 3 hours for what grows twenty times as fast
   */
  readonly window?: number | undefined
  /** Rise per hour from which it is a leak, in the gauge's unit. Default: 0.5 % of its value at the start; 10 % over 3 hours */
  readonly growthPerHour?: number | undefined
}

/** An error budget is spent faster than its period allows, over a long window and a short one at once. */
export interface BurnRateRule extends RuleBase {
  readonly type: 'burn-rate'
  /** The share that must succeed, such as 0.999. */
  readonly objective: number
  readonly errors: Selector
  readonly total: readonly Selector[]
  /**
   * Long and short windows in ms and the multiple of the sustainable rate that trips, below 1 / (1 - objective). Default: 14.4 over 1 h and
   * 5 min, 6 over 6 h and 30 min (Site Reliability Workbook, chapter 5)
   */
  readonly windows?: readonly BurnWindow[] | undefined
  /** Least size of the whole in a short window to judge by. Default: 20 */
  readonly minimum?: number | undefined
}

export interface BurnWindow {
  readonly long: number
  readonly short: number
  readonly factor: number
}

export type Rule = ThresholdRule | RatioRule | RegressionRule | LeakRule | BurnRateRule

export const DEFAULT_BURN_WINDOWS: readonly BurnWindow[] = [
  { long: 3_600_000, short: 300_000, factor: 14.4 },
  { long: 21_600_000, short: 1_800_000, factor: 6 },
]

const DAY = 86_400_000

const STATS = ['value', 'rate', 'mean', 'p50', 'p90', 'p95', 'p99', 'p999'] as const
const SEVERITIES = ['info', 'warning', 'critical'] as const

/** How each field of an object is checked. */
type Fields<O> = Readonly<Record<keyof O, OptionRule<unknown>>>

const BASE: Fields<RuleBase & { readonly type: unknown }> = {
  name: asGiven,
  type: asGiven,
  for: optional(checkRange, 0, DAY),
  recoverAfter: optional(checkRange, 0, DAY),
  severity: optional(checkOneOf<(typeof SEVERITIES)[number]>, SEVERITIES),
  summary: optional(checkText),
}
const SELECTOR: Fields<Selector> = { metric: required(checkText), labels: optional(checkLabels) }
/** Of which one is needed, see {@link checkLimits}. */
const LIMITS: Fields<RuleLimits> = { above: asGiven, below: asGiven }
const AT_LEAST_ONE: OptionRule<unknown> = optional(checkRange, 1, Number.MAX_SAFE_INTEGER)

const FIELDS: { readonly [T in Rule['type']]: Fields<Extract<Rule, { type: T }>> } = {
  threshold: {
    ...BASE,
    ...SELECTOR,
    ...LIMITS,
    stat: optional(checkOneOf<(typeof STATS)[number]>, STATS),
    window: optional(checkAmong, [60_000, 300_000, 900_000]),
  },
  ratio: {
    ...BASE,
    ...LIMITS,
    numerator: required(checkPart),
    denominator: required(checkParts),
    window: optional(checkRange, 10_000, DAY),
    minimum: AT_LEAST_ONE,
  },
  regression: {
    ...BASE,
    ...SELECTOR,
    quantile: optional(checkRange, 0.01, 0.9999),
    tolerance: optional(checkRange, 0, 100),
    alpha: optional(checkRange, 1e-12, 0.5),
    window: optional(checkAmong, [60_000, 300_000]),
    // By the window.
    baseline: asGiven,
    minimum: AT_LEAST_ONE,
  },
  leak: {
    ...BASE,
    ...SELECTOR,
    window: optional(checkRange, 60_000, 7 * DAY),
    growthPerHour: optional(checkRange, 0, Number.MAX_VALUE),
  },
  'burn-rate': {
    ...BASE,
    objective: required(checkRange, 0.5, 0.999999),
    errors: required(checkPart),
    total: required(checkParts),
    // By the objective.
    windows: asGiven,
    minimum: AT_LEAST_ONE,
  },
}

const COUNTS: readonly MetricType[] = ['counter', 'histogram']
const LEVELS: readonly MetricType[] = ['gauge', 'updown']
const DISTRIBUTIONS: readonly MetricType[] = ['histogram']

/** What a rule reads. */
export interface Reading {
  readonly selector: Selector
  /** Types of metrics that have it. */
  readonly types: readonly MetricType[]
}

/** Everything that `rule` reads. */
export function readingsOf(rule: Rule): Reading[] {
  const of =
    (types: readonly MetricType[]) =>
    (selector: Selector): Reading => ({ selector, types })
  switch (rule.type) {
    case 'threshold':
      return [of(typesOf(rule.stat ?? 'value'))(rule)]
    case 'regression':
      return [of(DISTRIBUTIONS)(rule)]
    case 'leak':
      return [of(LEVELS)(rule)]
    case 'ratio':
      return [rule.numerator, ...rule.denominator].map(of(COUNTS))
    case 'burn-rate':
      return [rule.errors, ...rule.total].map(of(COUNTS))
  }
}

function typesOf(stat: NonNullable<ThresholdRule['stat']>): readonly MetricType[] {
  if (stat === 'value') return [...LEVELS, 'counter']
  return stat === 'rate' ? COUNTS : DISTRIBUTIONS
}

/** ms that the condition of `rule` must hold. */
export function holdOf(rule: Rule): number {
  return rule.for ?? (rule.type === 'burn-rate' ? 0 : 60_000)
}

/** @throws InvalidOptionError naming the rule and the field */
export function checkRules(option: string, rules: readonly Rule[]): readonly Rule[] {
  const names = new Set<string>()
  for (const [index, rule] of checkList(option, rules, 'an array of rules').entries()) {
    validateRule(`${option}[${index}]`, rule)
    if (names.has(rule.name)) {
      throw new InvalidOptionError(`${rule.name}.name`, 'unique', rule.name)
    }
    names.add(rule.name)
  }
  return rules
}

function validateRule(option: string, rule: Rule): void {
  checkRecord(option, rule, 'an object')
  if (typeof rule.name !== 'string' || !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(rule.name)) {
    throw new InvalidOptionError(`${option}.name`, 'letters, digits and underscores', rule.name)
  }
  const at = (field: string): string => `${rule.name}.${field}`
  checkOneOf(at('type'), rule.type, Object.keys(FIELDS))
  resolveOptions(rule.name, rule, FIELDS[rule.type] as Fields<Rule>)
  if (rule.type === 'threshold' || rule.type === 'ratio') checkLimits(at, rule)
  if (rule.type === 'ratio') checkShare(at, rule)
  if (rule.type === 'burn-rate') checkWindows(at('windows'), rule)
  if (rule.type === 'regression' && rule.baseline !== undefined) {
    checkRange(at('baseline'), rule.baseline, 4 * (rule.window ?? 300_000), DAY)
  }
}

function checkLabels(path: string, labels: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(checkRecord(path, labels))) {
    if (typeof value !== 'string') {
      throw new InvalidOptionError(`${path}.${name}`, 'a string', value)
    }
  }
}

/** A selector that stands by itself, where a misspelt name would select everything. */
function checkPart(path: string, selector: Selector): void {
  resolveOptions(path, selector, SELECTOR)
}

function checkParts(path: string, selectors: readonly Selector[]): void {
  if (checkList(path, selectors).length === 0) {
    throw new InvalidOptionError(path, 'an array of at least one selector', selectors)
  }
  selectors.forEach((selector, i) => {
    checkPart(`${path}[${i}]`, selector)
  })
}

function checkLimits(at: (field: string) => string, { above, below }: RuleLimits): void {
  if ((above === undefined) === (below === undefined)) {
    throw new InvalidOptionError(at('above'), 'given, or `below`, but not both', above)
  }
  const [field, limit] = above === undefined ? ['below', below] : ['above', above]
  if (!Number.isFinite(limit)) {
    throw new InvalidOptionError(at(field!), 'a finite number', limit)
  }
}

/** A share from 0 to 1, as 5 % is 0.05: beyond that a rule would always hold, or never. */
function checkShare(at: (field: string) => string, { above, below }: RuleLimits): void {
  if (above !== undefined && !(above >= 0 && above < 1)) {
    throw new InvalidOptionError(at('above'), 'a share from 0 to below 1', above)
  }
  if (below !== undefined && !(below > 0 && below <= 1)) {
    throw new InvalidOptionError(at('below'), 'a share above 0, up to 1', below)
  }
}

function checkWindows(path: string, { windows, objective }: BurnRateRule): void {
  // Beyond that not even a service of which nothing succeeds burns.
  const most = Number((1 / (1 - objective)).toPrecision(6))
  if (windows === undefined) {
    if (DEFAULT_BURN_WINDOWS.some(({ factor }) => factor < most)) return
    throw new InvalidOptionError(path, `given, with factors below ${most}`, windows)
  }
  if (checkList(path, windows).length === 0) {
    throw new InvalidOptionError(path, 'an array of at least one pair of windows', windows)
  }
  windows.forEach((window, i) => {
    const { long } = checkRecord(`${path}[${i}]`, window)
    const { factor } = resolveOptions<BurnWindow, BurnWindow>(`${path}[${i}]`, window, {
      long: required(checkRange, 60_000, 28 * DAY),
      short: required(checkRange, 10_000, long),
      factor: required(checkRange, 0.001, most),
    })
    if (factor === most) {
      throw new InvalidOptionError(`${path}[${i}].factor`, `below ${most}`, factor)
    }
  })
}

function checkAmong(option: string, value: number, choices: readonly number[]): number {
  if (choices.includes(value)) return value
  throw new InvalidOptionError(option, `one of ${choices.join(', ')}`, value)
}
