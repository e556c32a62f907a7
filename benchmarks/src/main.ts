import { writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { failOnLostOutput } from '../../packages/kit/src/calls/fail-on-lost-output.ts'
import { type CommandLine, parseCommandLine, usage } from './command-line.ts'
import type { Suite } from './define.ts'
import { progressLine } from './progress.ts'
import { updateBaseline } from './result/baseline.ts'
import { terminalTable } from './result/format.ts'
import { readmeFiles, rewriteReadme } from './result/readme-sections.ts'
import { type MeasuredRow, passes, toJsonRow } from './result/row.ts'
import { storeResults } from './result/stored-results.ts'
import { discoverSuites, loadSuite } from './run/discover-suites.ts'
import { runSuite } from './run/run-suite.ts'

/** `npm run bench`: exit code 0 when every suite ran and computed the right thing, whatever the ratios; `bench:check` judges those. */
async function main(command: CommandLine): Promise<number> {
  if (command.help) {
    console.log(`${usage}\n\nSuites: ${discoverSuites().join(', ')}`)
    return 0
  }
  if (command.list) return list(command)
  if (command.readme) return rewriteReadmes()
  const names = command.suites.length > 0 ? command.suites : discoverSuites()
  const suites = await Promise.all(names.map(name => loadSuite(name)))
  const rows: MeasuredRow[] = []
  let failures = 0
  for (const suite of suites) {
    const line = progressLine()
    console.log(`\n${suite.name}`)
    try {
      const result = await runSuite(suite, { ...command, progress: line.show })
      line.clear()
      for (const message of result.failures) console.error(`FAILED: ${message}`)
      failures += result.failures.length
      if (result.rows.length === 0) continue
      console.log(terminalTable(result.rows))
      if (result.details) console.log(`\n${result.details}`)
      rows.push(...result.rows)
      if (command.save || (!command.quick && isWhole(suite, command))) storeResults(suite, result)
    } catch (error) {
      line.clear()
      failures++
      console.error(`FAILED: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  if (command.json !== undefined) {
    // npm runs scripts in the workspace root; the file is meant relative to where the user stands.
    const file = resolve(process.env.INIT_CWD ?? process.cwd(), command.json)
    writeFileSync(file, `${JSON.stringify(rows.map(toJsonRow), null, 2)}\n`)
  }
  if (command.updateBaseline) updateBaseline(rows)
  console.log(`\n${summary(rows, failures)}`)
  return failures > 0 || rows.length === 0 ? 1 : 0
}

/** Cases replace their own rows in stored results; a suite that measures by itself is stored as a whole or not at all. */
function isWhole(suite: Suite, { wanted }: CommandLine): boolean {
  return wanted === undefined || 'cases' in suite
}

function summary(rows: readonly MeasuredRow[], failures: number): string {
  const judged = rows.map(passes).filter(passed => passed !== undefined)
  const passed = judged.filter(Boolean).length
  return `${rows.length} comparisons, ${passed} of ${judged.length} goals reached, ${failures} failures`
}

async function list(command: CommandLine): Promise<number> {
  for (const name of command.suites.length > 0 ? command.suites : discoverSuites()) {
    const suite = await loadSuite(name)
    console.log(name)
    if (!('cases' in suite)) continue
    for (const one of suite.cases) {
      console.log(`  ${one.name} [${one.unit}]: ours against ${Object.keys(one.peers).join(', ')}`)
    }
  }
  return 0
}

async function rewriteReadmes(): Promise<number> {
  for (const file of readmeFiles()) {
    if (await rewriteReadme(file, discoverSuites(), name => loadSuite(name)))
      console.log(`rewritten: ${relative(process.cwd(), file)}`)
  }
  return 0
}

failOnLostOutput()
try {
  process.exitCode = await main(parseCommandLine(process.argv.slice(2)))
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
