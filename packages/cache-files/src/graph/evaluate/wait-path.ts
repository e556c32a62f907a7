import { CycleError } from '../../errors.ts'
import type { Flight } from './flight.ts'

/** The way by which `from` waits for `to`, through whichever graphs, ends included, or `undefined`. O(edges of flights). */
export function waitPath(from: Flight, to: Flight): Flight[] | undefined {
  if (from.asked.size === 0 && from.outside === undefined && from !== to) return undefined
  const cameFrom = new Map<Flight, Flight | undefined>([[from, undefined]])
  // A Map is walked in insertion order, new entries included, which makes this breadth first.
  for (const [flight] of cameFrom) {
    if (flight === to) {
      const path: Flight[] = []
      for (let step: Flight | undefined = flight; step !== undefined; step = cameFrom.get(step)) {
        path.unshift(step)
      }
      return path
    }
    for (const next of flight.asked.keys()) if (!cameFrom.has(next)) cameFrom.set(next, flight)
    for (const { waiters } of flight.outside ?? []) {
      for (const { flight: next } of waiters) if (!cameFrom.has(next)) cameFrom.set(next, flight)
    }
  }
  return undefined
}

/**
 * Sees to it that `target` does not wait for `asker`: those on the way that wait for another look's result compute it themselves.
 *
 * @throws {CycleError} where that does not help
 */
export function assertNoCycle(asker: Flight, target: Flight): void {
  for (;;) {
    const path = waitPath(target, asker)
    if (path === undefined) return
    const borrower = path.find(
      (flight, index) => flight.release && flight.revision !== path[index + 1]?.revision,
    )
    if (borrower?.release === undefined) {
      throw new CycleError([asker, ...path].map(({ node }) => node.label))
    }
    borrower.release()
  }
}
