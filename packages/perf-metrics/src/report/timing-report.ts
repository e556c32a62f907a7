import type { CounterSeries } from '../instrument/counter.ts'
import type { Family } from '../instrument/family.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import { type DistributionStats, windowRate, windowStats } from '../window/window-stats.ts'

/** An operation that is timed, over the last five minutes unless another window is said. Times in milliseconds; `null` where nothing happened. */
export interface TimingReport {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Calls since the start. */
  readonly count: number
  /** Calls per second. */
  readonly rate: number
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
  /** Failures since the start, and among the calls as a share. */
  readonly failures: number
  readonly failureRate: number | null
}

const FIVE_MINUTES = 300_000
/** ms of what lines of charts are about: what was slow must not hide what is slow after it. */
export const CHART_WINDOW = 60_000

/** One series of a timing, and of its failures. */
export interface TimedSeries {
  readonly durations: Family
  readonly series: HistogramSeries
  readonly failures: number
}

/** All series of all timings, one by one, so that the caller can pause. */
export function* timedSeries(families: readonly Family[]): Generator<TimedSeries, void> {
  const byName = new Map(families.map(family => [family.description.name, family]))
  for (const durations of families) {
    const { failures: counter } = durations.description
    if (counter === undefined) continue
    const failures = byName.get(counter)
    for (const one of durations.series()) {
      const series = one as HistogramSeries
      const failed = failures?.peek(series.labelValues) as CounterSeries | undefined
      yield { durations, series, failures: failed?.value ?? 0 }
    }
  }
}

/** Calls per second, without the quantiles: O(1) where a report is O(buckets). */
export function callRate({ series }: TimedSeries, now: number): number {
  return windowRate(series, FIVE_MINUTES, now)
}

/** @param window ms, of which rate and quantiles are */
export function timingReport(
  { durations, series, failures }: TimedSeries,
  now: number,
  window: number = FIVE_MINUTES,
): TimingReport {
  const { name, labelNames } = durations.description
  const { count } = series
  const stats = windowStats(series, window, now) as DistributionStats
  return {
    name,
    labels: Object.fromEntries(labelNames.map((label, i) => [label, series.labelValues[i]!])),
    count,
    rate: stats.rate,
    p50: inMilliseconds(stats.p50),
    p95: inMilliseconds(stats.p95),
    p99: inMilliseconds(stats.p99),
    failures,
    failureRate: count === 0 ? null : failures / count,
  }
}

function inMilliseconds(seconds: number): number | null {
  return Number.isNaN(seconds) ? null : seconds * 1000
}
