import type { LoadPlan } from '../../load/load-options.ts'
import { Loaded, loaded } from '../../load/loaded.ts'
import type { StoreEntry } from '../../store/contract/store.ts'
import { timeOf } from '../../store/entry-time.ts'

/** What an entry of the second tier is good for: how the first tier may take it, or `undefined` where it may not. */
export class EntryUses<V> {
  /** ms for which the first tier keeps a value at most. */
  readonly l1Ttl: number

  constructor(l1Ttl: number) {
    this.l1Ttl = l1Ttl
  }

  /** The entry if it is fresh for more than `margin` ms. */
  fresh(entry: StoreEntry<V> | undefined, margin: number): Loaded<V> | undefined {
    if (entry === undefined) return undefined
    const left = entry.expires - timeOf(entry)
    if (!(left > margin || left === Infinity)) return undefined
    return loaded(entry.value, { ttl: Math.min(this.l1Ttl, left), tags: entry.tags })
  }

  /** The entry if it may be served while a new value loads, for the first tier to keep as a stale one. */
  stale(entry: StoreEntry<V> | undefined, plan: LoadPlan): Loaded<V> | undefined {
    if (entry === undefined) return undefined
    const age = this.#age(entry)
    if (!(age < plan.staleWhileRevalidate)) return undefined
    return new Loaded(entry.value, { ttl: -age, tags: entry.tags })
  }

  /**
   * The entry if it is not too stale to stand in for a value that failed or is late: kept for a while, so that a source in
   * trouble is left alone, unless it was expired.
   */
  fallback(entry: StoreEntry<V> | undefined, plan: LoadPlan): Loaded<V> | undefined {
    if (entry === undefined || !(this.#age(entry) < plan.staleIfError)) return undefined
    const { value, tags } = entry
    const store = entry.expires !== 0 && plan.errorBackoff !== 0
    return loaded(value, {
      ...(store && { ttl: Math.min(this.l1Ttl, plan.errorBackoff) }),
      tags,
      store,
    })
  }

  /** ms since the entry became stale; after an `expire`, which leaves no time, as long as it is retained. */
  #age(entry: StoreEntry<V>): number {
    return entry.expires === 0 ? 0 : timeOf(entry) - entry.expires
  }
}
