import { checkList, checkRecord } from '@millrace/kit'
import { quantity } from '../export/summary.ts'
import { hitRatio, type Part } from './parts.ts'
import type { PerformanceReport } from './performance-report.ts'
import type { TimingReport } from './timing-report.ts'

/** A report as text for a terminal or a log. */
export function formatReport(report: PerformanceReport): string {
  checkList('report.findings', checkRecord('report', report).findings)
  const { uptime, memory, timings, parts, combinedHitRatio, findings } = report
  const lines = [
    `up ${quantity(uptime / 1000, 'seconds')}, resident ${quantity(memory.rss, 'bytes')}, heap ${quantity(memory.heapUsed, 'bytes')} of ${quantity(memory.heapTotal, 'bytes')}`,
  ]
  if (timings.length > 0) lines.push('', 'operations (last 5 minutes)', ...timings.map(timingLine))
  if (parts.length > 0) lines.push('', 'parts', ...parts.map(partLine))
  if (combinedHitRatio !== null) {
    lines.push(`  all caches: hit ratio ${quantity(combinedHitRatio, 'ratio')}`)
  }
  if (findings.length > 0) {
    lines.push('', 'findings')
    for (const { severity, subject, problem, advice } of findings) {
      lines.push(`  ${severity}: ${subject}: ${problem}. ${advice}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function timingLine({ name, labels, rate, p50, p95, p99, failures, count }: TimingReport): string {
  const shown = Object.entries(labels).map(([label, value]) => `${label}=${value}`)
  const subject = shown.length === 0 ? name : `${name}{${shown.join(' ')}}`
  const time = (ms: number | null): string => (ms === null ? '-' : quantity(ms / 1000, 'seconds'))
  return `  ${subject}: ${Number(rate.toPrecision(3))}/s, p50 ${time(p50)}, p95 ${time(p95)}, p99 ${time(p99)}, ${failures} of ${count} failed`
}

function partLine(part: Part): string {
  const { name, kind, values } = part
  const ratio = hitRatio(part)
  const lead =
    kind === 'cache' && !Number.isNaN(ratio) ? `hit ratio ${quantity(ratio, 'ratio')}, ` : ''
  const rest = Object.entries(values)
    .filter(([field]) => !field.includes('.'))
    .map(([field, value]) => `${field} ${quantity(value, field === 'bytes' ? 'bytes' : '')}`)
  return `  ${name} (${kind}): ${lead}${rest.join(', ')}`
}
