import { deepFreeze } from './deep-freeze.ts'

/**
 * How values are protected from those who get them.
 * - `freeze`: what is stored is frozen with all that it holds, so that a change throws where it is made; hits cost nothing more
 * - `clone`: each caller gets a structured clone of its own, and the cache keeps one; hits cost O(size of the value)
 */
export type Protection = 'freeze' | 'clone'

/** What protection makes of values. */
export interface ValueGuard {
  /** Makes a value fit to be stored. */
  readonly keep: <T>(value: T) => T
  /** Makes a stored value fit to be handed out. */
  readonly hand: <T>(value: T) => T
}

const CLONE: ValueGuard = { keep: structuredClone, hand: structuredClone }
const FREEZE: ValueGuard = { keep: deepFreeze, hand: value => value }

export function guardOf(protection: Protection): ValueGuard {
  return protection === 'clone' ? CLONE : FREEZE
}

const guards = new WeakMap<object, ValueGuard>()

/** Makes the values of a cache known as guarded to what reads and writes them without its methods. */
export function noteGuard(cache: object, guard: ValueGuard): void {
  guards.set(cache, guard)
}

/** `undefined` where values are handed out as they are. */
export function notedGuard(cache: object): ValueGuard | undefined {
  return guards.get(cache)
}
