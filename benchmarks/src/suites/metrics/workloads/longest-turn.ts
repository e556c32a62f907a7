/** Milliseconds of something that goes on while the event loop turns. */
export type Reading = () => number

export const wall: Reading = () => performance.now()

/** What the main thread itself has computed: not the time in which the kernel let other threads and programs have the core. */
export const threadCpu: Reading = () => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** The longest turn of the event loop in milliseconds, by `read`, while `work` is under way. */
export async function longestTurn(
  work: () => Promise<unknown>,
  read: Reading = wall,
): Promise<number> {
  // What was made so far is no concern of the work.
  globalThis.gc!()
  globalThis.gc!()
  let longest = 0
  let last = read()
  let watching = true
  const watch = (): void => {
    const now = read()
    longest = Math.max(longest, now - last)
    last = now
    if (watching) setImmediate(watch)
  }
  setImmediate(watch)
  await work()
  // The turn in which the work ended counts too.
  await new Promise(resolve => setImmediate(resolve))
  watching = false
  return longest
}
