/**
 * Ends an iterator that is not read to its end, so that it lets go of what it reads from. It is not waited for, and how it fails
 * does not concern a caller that has its result: neither throws nor rejects.
 */
export function letGo(iterator: Iterator<unknown> | AsyncIterator<unknown>): void {
  try {
    Promise.resolve(iterator.return?.()).catch(() => {})
  } catch {
    // As above: an iterator, or a `finally` of a generator, may throw at once.
  }
}
