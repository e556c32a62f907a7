import { checkMethods } from '@millrace/kit'
import type { Registry } from '../registry/registry.ts'
import { hitRatio, type Part, partsOf } from './parts.ts'
import { type TimingReport, timedSeries, timingReport } from './timing-report.ts'

/** Something a reader should look at. */
export interface ReportFinding {
  readonly severity: 'info' | 'warning'
  readonly subject: string
  readonly problem: string
  readonly advice: string
}

export interface PerformanceReport {
  /** ms since 1970. */
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

/** Below this share of hits a cache is worth a word (seed: 0.7). */
const LOW_HIT_RATIO = 0.7
const HIGH_FAILURE_RATE = 0.01
/** Least numbers to judge by. */
const ENOUGH = 100

/**
 * The performance of everything that is measured or observed, with advice where the numbers call for some.
 * In one piece: 4 ms per 1,000 timings.
 */
export function performanceReport(metrics: Registry): PerformanceReport {
  checkMethods('registry', metrics, 'a Registry', ['collect', 'observed'])
  const { timeline, uptime } = metrics
  const now = timeline.now()
  const families = metrics.collect()
  const parts = metrics.observed().flatMap(partsOf)
  const timings = Array.from(timedSeries(families), timed => timingReport(timed, now))
  const { rss, heapUsed, heapTotal } = process.memoryUsage()
  return {
    timestamp: timeline.date(),
    uptime,
    memory: { rss, heapUsed, heapTotal },
    timings,
    parts,
    combinedHitRatio: combinedHitRatio(parts),
    findings: [...timings.flatMap(judgeTiming), ...parts.flatMap(judgePart)],
  }
}

/** Hits among look-ups of all caches together, `null` before the first. */
function combinedHitRatio(parts: readonly Part[]): number | null {
  const caches = parts.filter(({ kind }) => kind === 'cache')
  const hits = sumOf(caches, 'hits')
  const lookups = hits + sumOf(caches, 'misses')
  return lookups === 0 ? null : hits / lookups
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
