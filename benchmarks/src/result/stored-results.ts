import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Suite } from '../define.ts'
import type { SuiteResult } from '../run/run-suite.ts'
import { ratioChart } from './chart.ts'
import { markdownTable } from './format.ts'
import type { MeasuredRow } from './row.ts'
import { versionsLine } from './versions.ts'

const resultsFolder: URL = new URL('../../results/', import.meta.url)

/** The rows of a suite's last stored run; none when it never ran. */
export function storedRows(suite: string, folder: URL = resultsFolder): MeasuredRow[] {
  const file = new URL(`${suite}.json`, folder)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as MeasuredRow[]) : []
}

/** What the READMEs show of a suite's last stored run besides its rows; empty for most. */
export function storedSummary(suite: string, folder: URL = resultsFolder): string {
  const file = summaryFile(suite, folder)
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
}

function summaryFile(suite: string, folder: URL): URL {
  return new URL(`${suite}-summary.md`, folder)
}

/**
 * Writes `<suite>.json`, `.md` and `.svg`, and `<suite>-summary.md` where there is one. A run of some of the cases replaces their rows
 * and keeps the others; cases that the suite no longer has are dropped. Nothing here depends on the date, so that an unchanged result is an empty diff.
 */
export function storeResults(
  suite: Suite,
  { rows, details, summary = '' }: SuiteResult,
  folder: URL = resultsFolder,
): void {
  mkdirSync(folder, { recursive: true })
  const merged = mergeRows(suite, storedRows(suite.name, folder), rows)
  writeFileSync(
    new URL(`${suite.name}.json`, folder),
    `${JSON.stringify(merged.map(rounded), null, 2)}\n`,
  )
  writeFileSync(new URL(`${suite.name}.svg`, folder), ratioChart(suite.name, merged))
  const page = [
    `# ${suite.name}`,
    suite.description,
    `![Ratios](${suite.name}.svg)`,
    markdownTable(merged),
    caseNotes(suite),
    details,
    versionsLine(suite.versions),
  ]
  if (summary !== '') writeFileSync(summaryFile(suite.name, folder), `${summary}\n`)
  writeFileSync(
    new URL(`${suite.name}.md`, folder),
    `${page.filter(part => part !== '').join('\n\n')}\n`,
  )
}

function mergeRows(
  suite: Suite,
  stored: readonly MeasuredRow[],
  fresh: readonly MeasuredRow[],
): MeasuredRow[] {
  if (!('cases' in suite)) return [...fresh]
  return suite.cases.flatMap(({ name }) => {
    const rows = fresh.filter(row => row.case === name)
    return rows.length > 0 ? rows : stored.filter(row => row.case === name)
  })
}

function caseNotes(suite: Suite): string {
  if (!('cases' in suite)) return ''
  return suite.cases.map(one => `- **${one.name}**: ${one.description}`).join('\n')
}

function rounded(row: MeasuredRow): MeasuredRow {
  const digits = (value: number) => Number(value.toPrecision(4))
  return {
    ...row,
    ours: digits(row.ours),
    peer: digits(row.peer),
    ratio: digits(row.ratio),
    spread: [digits(row.spread[0]), digits(row.spread[1])],
  }
}
