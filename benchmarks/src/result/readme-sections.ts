import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Suite } from '../define.ts'
import { headlineTable, resultLine } from './format.ts'
import { type MeasuredRow, passes } from './row.ts'
import { storedRows, storedSummary } from './stored-results.ts'

const repository = new URL('../../../', import.meta.url)
const section = /<!-- bench:([\w-]+) -->[\s\S]*?<!-- \/bench -->/g
const headlines = /<!-- bench-headlines -->[\s\S]*?<!-- \/bench -->/

/** The READMEs that may hold a `<!-- bench:SUITE -->` … `<!-- /bench -->` section. */
export function readmeFiles(root: URL = repository): string[] {
  return globSync(['README.md', '{packages,apps}/*/README.md', 'benchmarks/README.md'], {
    cwd: fileURLToPath(root),
  }).map(path => fileURLToPath(new URL(path, root)))
}

/**
 * Rewrites the sections of one file and returns whether that changed it.
 *
 * @param names of the suites whose headlines a `<!-- bench-headlines -->` section shows
 */
export async function rewriteReadme(
  file: string,
  names: readonly string[],
  load: (suite: string) => Promise<Suite>,
  results?: URL,
): Promise<boolean> {
  if (!existsSync(file)) return false
  const text = readFileSync(file, 'utf8')
  const bodies = new Map<string, string>()
  for (const [, name] of text.matchAll(section)) {
    const rows = storedRows(name!, results)
    if (rows.length === 0) continue
    bodies.set(name!, sectionBody(await load(name!), rows, storedSummary(name!, results)))
  }
  const front = headlines.test(text) ? await headlineRows(names, load, results) : []
  const rewritten = text
    .replace(section, (whole, name: string) => bodies.get(name) ?? whole)
    .replace(headlines, whole => (front.length > 0 ? headlineSection(front) : whole))
  if (rewritten === text) return false
  writeFileSync(file, rewritten)
  return true
}

/** The suite of the whole family at work, which comes first. */
const FAMILY = 'service'

async function headlineRows(
  names: readonly string[],
  load: (suite: string) => Promise<Suite>,
  results: URL | undefined,
): Promise<MeasuredRow[]> {
  const inOrder = names.toSorted((a, b) => Number(b === FAMILY) - Number(a === FAMILY))
  const rows = await Promise.all(
    inOrder.map(async name => {
      const { headline } = await load(name)
      return telling(
        storedRows(name, results).filter(
          row => row.goal !== null && headline?.test(row.case) === true,
        ),
      )
    }),
  )
  return rows.flat()
}

/** Of a suite's headlines the first case, by the peer against which it does worst, and whatever misses its goal. */
function telling(rows: readonly MeasuredRow[]): MeasuredRow[] {
  const [first] = rows
  const worst = rows
    .filter(row => row.case === first?.case)
    .reduce((least, row) => (row.ratio < least.ratio ? row : least), first!)
  return rows.filter(row => row === worst || passes(row) === false)
}

function headlineSection(rows: readonly MeasuredRow[]): string {
  return `<!-- bench-headlines -->\n\n${headlineTable(rows)}\n\n<!-- /bench -->`
}

const LINES = 3
const resultsFolder = 'https://github.com/millrace/millrace/blob/main/benchmarks/results'

/**
 * Three lines, the summary if there is one, and a link: a README says what a package does, its results how fast. The packed README has
 * no folders beside it.
 */
function sectionBody(suite: Suite, rows: readonly MeasuredRow[], summary: string): string {
  const headlined = rows.filter(row => suite.headline?.test(row.case) === true)
  const candidates = headlined.length > 0 ? headlined : rows
  const shown = candidates
    .filter((row, index) => candidates.findIndex(other => other.case === row.case) === index)
    .slice(0, LINES)
  return [
    `<!-- bench:${suite.name} -->`,
    shown.map(resultLine).join('\n'),
    ...(summary === '' ? [] : [summary]),
    `How they come about, and all others, the losses too: [results](${resultsFolder}/${suite.name}.md).`,
    '<!-- /bench -->',
  ].join('\n\n')
}
