import {
  checkInteger,
  checkNonNegative,
  checkRange,
  type OptionRules,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import { InvalidOptionError, MetricsSnapshotError } from '../errors.ts'
import type { HistogramJson, MetricsJson, SeriesJson } from '../export/json.ts'
import { compareQuantile, mannWhitney } from '../statistics/compare-distributions.ts'
import type { Distribution } from '../store/distribution.ts'

export interface CompareOptions {
  /** Quantile to compare, 0.01 to 0.9999. Default: 0.99 */
  readonly quantile?: number | undefined
  /** Tolerated rise of the quantile as a share, 0 or more. Default: 0.1 */
  readonly tolerance?: number | undefined
  /** Probability of a false alarm per histogram, above 0, up to 0.5. Default: 0.001 */
  readonly alpha?: number | undefined
  /** Least observations on both sides. Default: 100 */
  readonly minimum?: number | undefined
  /** Which metrics to compare. Default: all histograms */
  readonly metrics?: RegExp | undefined
}

export interface HistogramComparison {
  metric: string
  labels: Record<string, string>
  /** The quantile in each snapshot, and the change as a share. */
  before: number
  after: number
  change: number
  /** How probable so many slow values are without a regression. */
  p: number
  /** Cliff's delta of all values: -1 (all faster) to 1 (all slower). */
  shift: number
  verdict: 'same' | 'regressed' | 'improved' | 'too few'
}

export interface SnapshotComparison {
  comparisons: HistogramComparison[]
  /** Whether nothing regressed. */
  ok: boolean
}

const OPTIONS: OptionRules<CompareOptions> = {
  quantile: withDefault(0.99, checkRange, 0.01, 0.9999),
  tolerance: withDefault(0.1, checkNonNegative),
  alpha: withDefault(0.001, checkRange, 1e-12, 0.5),
  minimum: withDefault(100, checkInteger, 1),
  metrics: withDefault(/./, checkPattern),
}

/**
 * Compares the histograms that two JSON exports have in common. Less is better.
 *
 * @throws InvalidOptionError for an option that is unknown or cannot work
 * @throws MetricsSnapshotError for what is no JSON export
 */
export function compareSnapshots(
  before: MetricsJson,
  after: MetricsJson,
  options: CompareOptions = {},
): SnapshotComparison {
  const { quantile, tolerance, alpha, minimum, metrics } = resolveOptions('', options, OPTIONS)
  // Without the flags that make a test depend on the one before.
  const wanted = new RegExp(metrics.source, metrics.flags.replace(/[gy]/g, ''))
  const old = histogramsOf(before)
  const comparisons: HistogramComparison[] = []
  for (const [key, { metric, series }] of histogramsOf(after)) {
    const earlier = old.get(key)
    if (earlier === undefined || !wanted.test(metric)) continue
    const a = distributionOf(earlier.series)
    const b = distributionOf(series)
    const result = compareQuantile(a, b, quantile, tolerance)
    const reverse = compareQuantile(b, a, quantile, tolerance)
    let verdict: HistogramComparison['verdict'] = 'same'
    if (a.count < minimum || b.count < minimum) verdict = 'too few'
    else if (result.p < alpha && result.change > tolerance) verdict = 'regressed'
    else if (reverse.p < alpha && reverse.change > tolerance) verdict = 'improved'
    const { labels } = series
    comparisons.push({ metric, labels, ...result, shift: mannWhitney(a, b).delta, verdict })
  }
  return { comparisons, ok: comparisons.every(({ verdict }) => verdict !== 'regressed') }
}

function checkPattern(option: string, value: unknown): RegExp {
  if (value instanceof RegExp) return value
  throw new InvalidOptionError(option, 'a regular expression', value)
}

function histogramsOf(
  snapshot: MetricsJson,
): Map<string, { metric: string; series: HistogramJson }> {
  if (!Array.isArray(snapshot?.metrics)) {
    throw new MetricsSnapshotError('A snapshot must be what Registry.toJSON() returned')
  }
  const found = new Map<string, { metric: string; series: HistogramJson }>()
  try {
    for (const { name, type, series } of snapshot.metrics) {
      if (type !== 'histogram') continue
      for (const one of series as SeriesJson[] as HistogramJson[]) {
        checkHistogram(one)
        found.set(JSON.stringify([name, Object.entries(one.labels)]), { metric: name, series: one })
      }
    }
  } catch (cause) {
    throw new MetricsSnapshotError('A snapshot must be what Registry.toJSON() returned', { cause })
  }
  return found
}

/** @throws TypeError unless it holds what is compared */
function checkHistogram({ exponential, count, sum }: HistogramJson): void {
  const { schema, low, counts, zeros } = exponential
  const numbers = [schema, low, zeros, count, sum, ...counts]
  if (!numbers.every(value => typeof value === 'number')) throw new TypeError('Not a histogram')
}

function distributionOf({ exponential, count, sum, min, max }: HistogramJson): Distribution {
  return { ...exponential, count, sum, min: min ?? NaN, max: max ?? NaN }
}
