import type { Connection } from '../connection/connection.ts'

/** Values that travel at once: more would keep the server busy for longer than it may take to answer. */
export const MOST_AT_ONCE = 2_048

/**
 * Begins the parts of one call, as many at once as `size` says, and the next when these have ended: so that a call of very many keys takes
 * as long as it takes, while each part ends by its timeout.
 *
 * @param skip is told of the parts that were not begun, as one before them has failed
 */
export async function inWaves<T, R>(
  connection: Connection,
  parts: readonly T[],
  size: number,
  begin: (part: T, index: number) => R | Promise<R>,
  skip: (rest: readonly T[], error: unknown) => void,
): Promise<R[]> {
  const results: R[] = []
  for (let from = 0; from < parts.length; from += size) {
    const wave = parts.slice(from, from + size)
    try {
      const begun = connection.together(() => wave.map((part, index) => begin(part, from + index)))
      for (const result of await Promise.all(begun)) results.push(result)
    } catch (error) {
      skip(parts.slice(from + size), error)
      throw error
    }
  }
  return results
}
