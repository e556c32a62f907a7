/**
 * Lets a command end with exit code `code`, and one line on standard error, where what it prints cannot be written: Node's console keeps
 * such errors to itself, so that a report on a full disk would pass for one that was made. A reader that has seen enough, such as `head`,
 * is none of that. Call it once, before anything is printed. What is lost is known once the event loop turns, so that a command
 * should set `process.exitCode` and not call `process.exit`.
 *
 * @param code overrides the exit code that the command has set. Default: 1
 */
export function failOnLostOutput(code = 1): void {
  let lost = false
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (lost || error.code === 'EPIPE') return
    lost = true
    console.error(`Cannot print to the standard output: ${error.message}`)
    process.once('exit', () => {
      process.exitCode = code
    })
  })
}
