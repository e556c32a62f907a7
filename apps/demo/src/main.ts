import { explain } from './report/explain.ts'

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
/** What was asked for and could not be printed was not done. A reader that has seen enough, such as `head`, is none of that. */
let unprinted = false
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  if (code === 'EPIPE' || unprinted) return
  unprinted = true
  // It may be told once the command is over.
  process.exitCode = 1
  console.error(`Cannot print to the standard output: ${explain(code)}`)
})
// Not before it is known what a signal does: loading takes a while.
const { runCommand } = await import('./command.ts')
const code = await runCommand(process.argv.slice(2), process.env, interrupt.signal)
if (!unprinted) process.exitCode = code
unlisten()
