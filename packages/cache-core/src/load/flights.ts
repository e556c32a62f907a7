import { type EntryState, FRESH } from '../kernel/entry.ts'
import type { Flight } from './flight.ts'

/**
 * Flights in progress by key. A fenced one is not joined any more but stays here until it ends: a later, harder invalidation must
 * reach it too, as its callers may be waiting with a stale value to fall back on.
 */
export class Flights<K, V> {
  /** The newest flight of each key; older ones hang on it. Of those, none is less fenced than a newer one. */
  readonly #newest = new Map<K, Flight<K, V>>()

  /** Number of keys in flight. */
  get size(): number {
    return this.#newest.size
  }

  /** The flight of `key` that may still be kept, if there is one. */
  get(key: K): Flight<K, V> | undefined {
    const flight = this.#newest.get(key)
    return flight?.fence === FRESH ? flight : undefined
  }

  add(flight: Flight<K, V>): void {
    const older = this.#newest.get(flight.key)
    flight.older = older
    if (older !== undefined) older.newer = flight
    this.#newest.set(flight.key, flight)
  }

  /** The flight has ended. Does nothing the second time. O(1). */
  remove(flight: Flight<K, V>): void {
    const { key, older, newer } = flight
    if (newer !== undefined) newer.older = older
    else if (this.#newest.get(key) !== flight) return
    else if (older !== undefined) this.#newest.set(key, older)
    else this.#newest.delete(key)
    if (older !== undefined) older.newer = newer
    flight.older = flight.newer = undefined
  }

  /** The value of `key` was invalidated (`GONE`), or expired or set (`STALE`). O(1), amortized. */
  fence(key: K, state: EntryState): void {
    let flight = this.#newest.get(key)
    while (flight !== undefined && flight.fence < state) {
      flight.fence = state
      flight = flight.older
    }
  }

  /** The same for each key in flight that `matches`. O(flights). */
  fenceMatching(matches: (key: K) => boolean, state: EntryState): void {
    for (const key of this.#newest.keys()) if (matches(key)) this.fence(key, state)
  }
}
