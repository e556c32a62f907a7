import { runCommand } from './command.ts'

/** What asks the demo to end: Ctrl-C, a service manager, a terminal that was closed. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

const interrupt = new AbortController()
const stop = () => {
  // A second one ends the process at once.
  for (const each of signals) process.off(each, stop)
  interrupt.abort(new Error('Interrupted'))
}
for (const each of signals) process.on(each, stop)
process.exitCode = await runCommand(process.argv.slice(2), process.env, interrupt.signal)
for (const each of signals) process.off(each, stop)
