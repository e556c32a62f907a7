/** Chunks before the first that counts: what they make of the code is what a process has after some seconds. */
const warmUp = 20

interface InTurnOptions {
  /** Operations that `perform` does. */
  readonly operations: number
  /** What is timed. */
  perform(): void | Promise<void>
  /** Other uses of the same code, in turn between two timed chunks. */
  company(): void | Promise<void>
  readonly quick: boolean
}

/**
 * Nanoseconds of one operation, as the median over chunks between which others have their turn in the same process: a loop that is timed
 * alone has call sites that see one shape only, which no service has.
 */
export async function timeInTurn(options: InTurnOptions): Promise<number> {
  const timed: number[] = []
  const count = options.quick ? 60 : 200
  for (let i = -warmUp; i < count; i++) {
    const company = options.company()
    if (company !== undefined) await company
    const start = process.hrtime.bigint()
    const done = options.perform()
    if (done !== undefined) await done
    const elapsed = Number(process.hrtime.bigint() - start)
    if (i >= 0) timed.push(elapsed / options.operations)
  }
  timed.sort((a, b) => a - b)
  return timed[timed.length >> 1]!
}
