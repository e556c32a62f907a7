import type { ScriptLines } from './script-line.ts'

const known = new WeakMap<object, ScriptLines>()

/** Lets other parts of this package send operations over a store's connection, which is no business of its users. */
export function shareLines(store: object, lines: ScriptLines): void {
  known.set(store, lines)
}

/** The lines of a store of this package. */
export function linesOf(store: object): ScriptLines | undefined {
  return known.get(store)
}
