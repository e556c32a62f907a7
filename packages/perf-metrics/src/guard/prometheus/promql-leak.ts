import type { Family } from '../../instrument/family.ts'
import { legacyLabel } from '../../metric/name.ts'
import { LEAK_ALPHA, leakHorizons } from '../leak.ts'
import type { LeakRule } from '../rules.ts'
import { promDuration, promName, promSelector } from './promql.ts'
import { promSample, promStudent } from './promql-chance.ts'

/** Parts of a window whose floors are compared. */
const PARTS = 30
/** Windows before this one above whose floors a leak must be: a cycle of that length is none. */
const EARLIER = 8

/** Whether the floor of a gauge has risen in one of the rule's horizons. */
export function promLeak(
  rule: LeakRule,
  families: ReadonlyMap<string, Pick<Family, 'description'>>,
): string {
  return leakHorizons(rule)
    .map(({ window, share }) => `(${rising(rule, window, share, families)})`)
    .join(' or ')
}

function rising(
  rule: LeakRule,
  window: number,
  share: number,
  families: ReadonlyMap<string, Pick<Family, 'description'>>,
): string {
  const selector = promSelector(promName(rule.metric, 'gauge'), rule.labels)
  const labels = families.get(rule.metric)?.description.labelNames.map(legacyLabel) ?? []
  // Over the metric's own labels, not over those of the processes: each of those may leak.
  const floor = (milliseconds: number, offset = 0): string =>
    `sum without (${labels.join(', ')}) (min_over_time(${selector}[${promDuration(milliseconds)}]${offset === 0 ? '' : ` offset ${promDuration(offset)}`}))`
  const part = Math.max(1000, Math.round(window / PARTS / 1000) * 1000)
  const third = Math.round(window / 3000) * 1000
  const parts = `[${promDuration(window)}:${promDuration(part)}]`
  const floors = `(${floor(part)})${parts}`
  const steps = `(${floor(part)} - ${floor(part, part)})${parts}`
  const slope = `deriv(${floors})`
  // Of moments that are equally far apart.
  const spread = `(${(part / 1000) ** 2} * (count_over_time(${floors}) ^ 2 - 1) / 12)`
  const residual = `clamp_min(stdvar_over_time(${floors}) - ${slope} ^ 2 * ${spread}, 0)`
  const sample = promSample(floors, residual, steps, `avg_over_time(${floors})`)
  const t = `${slope} * sqrt(${spread} * ${sample.independent} / ${sample.variance})`
  const growth = `(${floor(third)} - ${floor(window)}) * ${Number((3_600_000 / (window - third)).toPrecision(6))}`
  const begun = floor(part, Math.round((window * 0.8 - part) / 1000) * 1000)
  const limit = rule.growthPerHour ?? `${share} * abs(${begun})`
  const started = families.has(START)
    ? ` and on (job, instance) time() - ${START} >= ${(window * 0.8) / 1000}`
    : ''
  return (
    `${growth} > ${limit} and ${t} > ${promStudent(LEAK_ALPHA, `${sample.independent} - 2`)}` +
    ` and ${begun}${started}` +
    ` unless ${floor(third)} <= max_over_time((${floor(third)})[${promDuration(window * EARLIER)}:${promDuration(third)}] offset ${promDuration(window)})`
  )
}

/** Where it is measured: a process that has not run for long is filling its caches. */
const START = 'process_start_time_seconds'
