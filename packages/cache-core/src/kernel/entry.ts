/** State of an entry: valid. */
export const FRESH = 0
/** State of an entry: expired, kept so that it can be served while a new value loads. */
export const STALE = 1
/** State of an entry: must not be served any more. */
export const GONE = 2

export type EntryState = typeof FRESH | typeof STALE | typeof GONE

/**
 * Why a value left the cache:
 * - `evicted`: room was needed for another entry
 * - `expired`: its time to live, or to stay idle, had passed
 * - `deleted`: its key was deleted
 * - `replaced`: its key was set to another value
 * - `invalidated`: its tag, pattern, namespace or version was dropped
 * - `cleared`: the whole cache was cleared
 * - `resized`: the cache was made smaller
 */
export type RemovalReason =
  | 'evicted'
  | 'expired'
  | 'deleted'
  | 'replaced'
  | 'invalidated'
  | 'cleared'
  | 'resized'

/** What invalidation attaches to an entry. */
export interface Guard {
  /** Asked on each find; must be cheap. */
  state(): EntryState
}

/** How long an entry may be served, and what is attached to it. Copied by the kernel, so that one object serves many writes. */
export class Lifetime {
  /** When freshness ends, ms on the clock of the kernel; Infinity = never. */
  expires: number = Infinity
  /** Until when the entry may be served stale, ms on the clock; at least `expires`. */
  retained: number = Infinity
  guard: Guard | undefined = undefined
  /** What loading remembers of the entry. */
  detail: unknown = undefined
}
