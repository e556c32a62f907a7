import { failOnLostOutput } from '../../packages/kit/src/calls/fail-on-lost-output.ts'
import { confirmedDrops } from './check-drops.ts'
import { parseCommandLine } from './command-line.ts'
import { progressLine } from './progress.ts'
import { readBaseline, tolerance } from './result/baseline.ts'
import { terminalTable, times } from './result/format.ts'
import { discoverSuites, loadSuite } from './run/discover-suites.ts'
import { runSuite } from './run/run-suite.ts'

/** `npm run bench:check -- [suite…] [--quick]`: fails when a ratio fell by more than 10 % of its baseline, twice in a row. */
async function main(argv: readonly string[]): Promise<number> {
  const command = parseCommandLine(argv)
  const suites = command.suites.length > 0 ? command.suites : discoverSuites()
  const line = progressLine()
  const drops = await confirmedDrops(suites, readBaseline(), async (name, cases) => {
    const { rows, failures } = await runSuite(await loadSuite(name), {
      quick: command.quick,
      flags: command.flags,
      wanted: cases ? one => cases.has(one) : command.wanted,
      progress: line.show,
    })
    line.clear()
    if (failures.length > 0) throw new Error(failures.join('\n'))
    console.log(`\n${name}\n${terminalTable(rows)}`)
    return rows
  })
  for (const { key, before, now } of drops)
    console.error(`DROPPED twice: ${key}: ${times(before)} before, ${times(now)} now`)
  if (drops.length === 0) console.log(`\nNo ratio fell by more than ${tolerance * 100} %.`)
  return drops.length === 0 ? 0 : 1
}

failOnLostOutput()
try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
