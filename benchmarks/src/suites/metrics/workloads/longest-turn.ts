/** The longest turn of the event loop in milliseconds while `work` is under way. */
export async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  // What was made so far is no concern of the work.
  globalThis.gc!()
  globalThis.gc!()
  let longest = 0
  let last = performance.now()
  let watching = true
  const watch = (): void => {
    const now = performance.now()
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
