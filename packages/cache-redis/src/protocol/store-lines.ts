import type { ScriptLines } from './script-line.ts'

const known = new WeakMap<object, ScriptLines>()
const carriers = new WeakMap<object, Set<object>>()

/** Lets other parts of this package send operations over a store's connection, which is no business of its users. */
export function shareLines(store: object, lines: ScriptLines): void {
  known.set(store, lines)
}

/** The lines of a store of this package. */
export function linesOf(store: object): ScriptLines | undefined {
  return known.get(store)
}

/** The buses by which caches over a store hear of each other. */
export function carriersOf(store: object): Set<object> {
  let found = carriers.get(store)
  if (found === undefined) {
    found = new Set()
    carriers.set(store, found)
  }
  return found
}
