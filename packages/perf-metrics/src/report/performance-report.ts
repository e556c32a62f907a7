import type { CounterSeries } from '../instrument/counter.ts'
import type { Family } from '../instrument/family.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Registry } from '../registry/registry.ts'
import { type DistributionStats, windowStats } from '../window/window-stats.ts'
import { hitRatio, type Part, partOf } from './parts.ts'

/** An operation that is timed, over the last five minutes. Times in milliseconds; `null` where nothing happened. */
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

/** Something a reader should look at. */
export interface ReportFinding {
  readonly severity: 'info' | 'warning'
  readonly subject: string
  readonly problem: string
  readonly advice: string
}

export interface PerformanceReport {
  /** Milliseconds since the epoch. */
  readonly timestamp: number
  /** Milliseconds since the registry was made. */
  readonly uptime: number
  readonly memory: { readonly rss: number; readonly heapUsed: number; readonly heapTotal: number }
  readonly timings: readonly TimingReport[]
  readonly parts: readonly Part[]
  /** Hits among look-ups of all caches together, `null` before the first. */
  readonly combinedHitRatio: number | null
  readonly findings: readonly ReportFinding[]
}

const FIVE_MINUTES = 300_000
/** Below this share of hits a cache is worth a word (seed: 0.7). */
const LOW_HIT_RATIO = 0.7
const HIGH_FAILURE_RATE = 0.01
/** Least numbers to judge by. */
const ENOUGH = 100

/** The performance of everything that is measured or observed, with advice where the numbers call for some. */
export function performanceReport(metrics: Registry, now: number = Date.now()): PerformanceReport {
  const families = metrics.collect()
  const parts = metrics.observed().map(partOf)
  const timings = [...timingReports(families, now)]
  const { rss, heapUsed, heapTotal } = process.memoryUsage()
  return {
    timestamp: now,
    uptime: now - metrics.created,
    memory: { rss, heapUsed, heapTotal },
    timings,
    parts,
    combinedHitRatio: combinedHitRatio(parts),
    findings: [...timings.flatMap(judgeTiming), ...parts.flatMap(judgePart)],
  }
}

/** Reports of all timings one by one, so that the caller can pause. */
export function* timingReports(
  families: readonly Family[],
  now: number,
): Generator<TimingReport, void> {
  const byName = new Map(families.map(family => [family.description.name, family]))
  for (const family of families) {
    const { name, type, labelNames } = family.description
    if (type !== 'histogram' || !name.endsWith('_seconds')) continue
    const failures = byName.get(`${name.replace(/_seconds$/, '')}_failures_total`)
    for (const series of family.series()) {
      const { count } = series as HistogramSeries
      const stats = windowStats(series, FIVE_MINUTES, now) as DistributionStats
      const failed = (failures?.peek(series.labelValues) as CounterSeries | undefined)?.value ?? 0
      yield {
        name,
        labels: Object.fromEntries(labelNames.map((label, i) => [label, series.labelValues[i]!])),
        count,
        rate: stats.rate,
        p50: inMilliseconds(stats.p50),
        p95: inMilliseconds(stats.p95),
        p99: inMilliseconds(stats.p99),
        failures: failed,
        failureRate: count === 0 ? null : failed / count,
      }
    }
  }
}

/** Hits among look-ups of all caches together, `null` before the first. */
export function combinedHitRatio(parts: readonly Part[]): number | null {
  const caches = parts.filter(({ kind }) => kind === 'cache')
  const hits = sumOf(caches, 'hits')
  const lookups = hits + sumOf(caches, 'misses')
  return lookups === 0 ? null : hits / lookups
}

function inMilliseconds(seconds: number): number | null {
  return Number.isNaN(seconds) ? null : seconds * 1000
}

function sumOf(parts: readonly Part[], field: string): number {
  return parts.reduce((sum, { values }) => sum + (values[field] ?? 0), 0)
}

function judgeTiming({ name, count, failureRate }: TimingReport): ReportFinding[] {
  if (count < ENOUGH || failureRate === null || failureRate <= HIGH_FAILURE_RATE) return []
  return [
    {
      severity: 'warning',
      subject: name,
      problem: `${percent(failureRate)} of the calls fail`,
      advice: 'Look at the errors of this operation before its speed.',
    },
  ]
}

function judgePart(part: Part): ReportFinding[] {
  const { name, kind, values } = part
  const ratio = hitRatio(part)
  if (kind === 'cache' && (values.hits ?? 0) + (values.misses ?? 0) >= ENOUGH) {
    if (ratio < LOW_HIT_RATIO) {
      return [
        {
          severity: 'warning',
          subject: name,
          problem: `hit ratio of ${percent(ratio)}`,
          advice: 'Give it more entries or a longer time to live, or ask its advise() which helps.',
        },
      ]
    }
  }
  const { granted = 0, refused = 0 } = values
  if (kind === 'limiter' && granted + refused >= ENOUGH && refused / (granted + refused) > 0.05) {
    return [
      {
        severity: 'info',
        subject: name,
        problem: `${percent(refused / (granted + refused))} of the calls are refused`,
        advice: 'Raise the limit if the resource behind it has room, or slow the callers down.',
      },
    ]
  }
  return []
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}
