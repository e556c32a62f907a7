import { runFleet } from './fleet/run-fleet.ts'
import { help, parseOptions, UsageError } from './options.ts'
import { renderRounds, runRounds } from './rounds/run-rounds.ts'
import { DemoError, runDemo } from './run-demo.ts'

/** Exit code 0 also after Ctrl-C, once everything is flushed; 1 only when the main job could not run. */
async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2))
  if (options === 'help') {
    console.log(help)
    return
  }
  if (options.rounds) {
    console.log(renderRounds(await runRounds(options.directory)))
    return
  }
  const interrupt = new AbortController()
  const stop = () => {
    // A second one ends the process at once.
    process.off('SIGINT', stop).off('SIGTERM', stop)
    interrupt.abort(new Error('Interrupted'))
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  await (options.fleet ? runFleet : runDemo)(options, interrupt.signal)
  process.off('SIGINT', stop).off('SIGTERM', stop)
}

try {
  await main()
} catch (error) {
  if (!(error instanceof UsageError || error instanceof DemoError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
