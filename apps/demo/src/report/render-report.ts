import type { ResultCounts } from '../analyse/analyse-sources.ts'
import type { TreeNow } from '../analyse/present-tree.ts'
import { counted } from './counted.ts'
import { printable } from './printable.ts'
import type { Report } from './report.ts'
import { shownPath } from './shown-path.ts'

/** The report as text for a terminal of 100 columns. */
export function renderReport(report: Report): string {
  const { sources, results, packages, limiter, connections } = report
  const parts = [
    `${shownPath(report.directory)}: ${report.temperature} run, ${duration(report.total)}`,
    ...report.reasons.map(reason => `  ${reason}`),
    ...(report.notices.length > 0 ? ['', 'Notices', ...indent(report.notices)] : []),
    '',
    `${counted(sources.files, 'source file')}, ${megabytes(sources.bytes)}, ${counted(sources.lines, 'line')}: ${count(sources.unchanged)} unchanged, ${count(sources.touched)} touched, ${count(sources.copies)} copies, ${count(sources.parsed)} parsed, ${count(sources.syntaxErrors)} with syntax errors, ${count(sources.unreadable)} unreadable`,
    renderResults(results),
    `${counted(packages.met, 'package')}: ${count(packages.described)} described by the registry, ${count(packages.absent)} not in it, ${count(packages.failed)} without an answer; ${counted(packages.edges, 'import')} between packages, ${count(packages.internalImports)} within, ${count(packages.builtinImports)} of Node`,
    ...(report.now === undefined ? [] : [renderNow(report.now)]),
    '',
    ...table(
      ['stage', 'time'],
      report.stages.map(stage => [stage.name, duration(stage.duration)]),
    ),
    '',
    ...table(
      ['cache', 'hits', 'misses', 'hit rate'],
      report.caches.map(({ name, hits, misses }) => [
        name,
        count(hits),
        count(misses),
        hits + misses === 0 ? '-' : `${((100 * hits) / (hits + misses)).toFixed(1)} %`,
      ]),
    ),
    '',
    `Limiter: ${count(limiter.granted)} permits at ${count(limiter.rate)}/s, ${count(limiter.waits)} waited, ${duration(limiter.waited)} in all`,
    `Connections: ${count(connections.opened)} opened, reused ${count(connections.reused)} times for ${count(connections.requests)} requests with ${count(connections.retries)} retries`,
    '',
    ...table(
      ['operation', 'count', 'p50', 'p95', 'p99'],
      report.operations.map(({ name, count: times, p50, p95, p99 }) => [
        name,
        count(times),
        duration(p50),
        duration(p95),
        duration(p99),
      ]),
    ),
    ...(report.slowest.length > 0
      ? ['', 'Slowest trace', ...indent(report.slowest.map(printable))]
      : []),
  ]
  return parts.join('\n')
}

/** What became of results, as one phrase. */
export function renderResults({ recomputed, cutOff, verified }: ResultCounts): string {
  return `${count(recomputed)} results recomputed, of which ${count(cutOff)} cut off as they came out the same; ${count(verified)} verified`
}

/** The tree as it is now, and what was followed until then, as one phrase. */
export function renderNow({ files, packages, edges, changes, ...results }: TreeNow): string {
  const tree = `Now ${counted(files, 'source file')}, ${counted(packages, 'package')}, ${counted(edges, 'import')} between packages`
  if (changes === 0) return `${tree}; no change followed yet`
  return `${tree}; ${counted(changes, 'change')} followed, ${count(results.recomputed)} results recomputed, of which ${count(results.cutOff)} cut off`
}

const indent = (lines: readonly string[]): string[] => lines.map(line => `  ${line}`)
export const count = (value: number): string => Math.round(value).toLocaleString('en-US')
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

export function duration(milliseconds: number): string {
  if (Number.isNaN(milliseconds)) return '-'
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)} s`
  if (milliseconds >= 1) return `${milliseconds.toFixed(1)} ms`
  return `${(milliseconds * 1000).toFixed(0)} µs`
}

/** Columns aligned: the first to the left, numbers to the right. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const lines = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...lines.map(line => line[column]!.length)))
  return lines.map(line =>
    line
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!),
      )
      .join('  '),
  )
}
