import { requireFolder } from './analyse/require-folder.ts'
import { DemoError } from './demo-error.ts'
import { runFleet } from './fleet/run-fleet.ts'
import { type DemoOptions, help, parseOptions, UsageError } from './options.ts'
import { printable } from './report/printable.ts'
import { renderRounds, runRounds } from './rounds/run-rounds.ts'
import { runDemo } from './run-demo.ts'

/**
 * Does what a command line asks for, until it is done or `signal` aborts.
 *
 * @returns the exit code: 0 also after an abort, once everything is flushed; 1 only when the main job could not run
 */
export async function runCommand(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<0 | 1> {
  try {
    const options = parseOptions(argv, env)
    if (options === 'help') console.log(help)
    else if (options.rounds) await rounds(options, signal)
    else await (options.fleet ? runFleet : runDemo)(options, signal)
    return 0
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof DemoError)) throw error
    console.error(printable(error.message))
    return 1
  }
}

async function rounds({ directory, json }: DemoOptions, signal: AbortSignal): Promise<void> {
  await requireFolder(directory)
  try {
    const notice = (line: string) => console.error(printable(line))
    const result = await runRounds(directory, { signal, notice })
    console.log(json ? JSON.stringify(result) : renderRounds(result))
  } catch (error) {
    if (!signal.aborted) throw error
    console.log('Interrupted; the copy of the tree is gone.')
  }
}
