import type { StoreEntry } from './contract/store.ts'
import { SteadyClock } from './steady-clock.ts'

const clock = new SteadyClock()

/** When an entry was read, ms on its store's clock; by a clock that never steps back where the store does not say. */
export function timeOf({ at }: Pick<StoreEntry<unknown>, 'at'>): number {
  return at ?? clock.now()
}

/** Whether there is an entry, and it was fresh when it was read. */
export function isFresh<V>(entry: StoreEntry<V> | undefined): entry is StoreEntry<V> {
  return entry !== undefined && entry.expires > timeOf(entry)
}
