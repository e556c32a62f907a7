import { runCommand } from './command.ts'

/** What asks the demo to end: Ctrl-C, a service manager, a terminal that was closed. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

const interrupt = new AbortController()
const stop = () => {
  unlisten()
  interrupt.abort(new Error('Interrupted'))
}
/** A second one ends the process at once. */
const unlisten = () => {
  for (const each of signals) process.off(each, stop)
  process.off('disconnect', stop)
}
for (const each of signals) process.on(each, stop)
// A member of a fleet, which has a channel to it, ends with it, also when that is killed.
if (process.connected) process.on('disconnect', stop)
else if (process.send !== undefined) stop()
process.exitCode = await runCommand(process.argv.slice(2), process.env, interrupt.signal)
unlisten()
