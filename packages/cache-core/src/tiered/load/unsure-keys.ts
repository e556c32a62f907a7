import type { Cache } from '../../cache/cache.ts'
import type { TierLoad } from './tier-load.ts'

/** Keys read at a time. */
const BATCH = 250

/**
 * Keys whose values in the first tier could not be trusted any more, as messages may have been lost: they are read anew from the second
 * tier, in batches, instead of one by one when they are asked for. O(keys) in all.
 */
export class UnsureKeys<V> {
  readonly #l1: Cache<string, V>
  readonly #load: TierLoad<V>
  readonly #keys = new Set<string>()
  #running = false

  constructor(l1: Cache<string, V>, load: TierLoad<V>) {
    this.#l1 = l1
    this.#load = load
  }

  /** Empties the first tier and begins to read what it held. */
  revalidate(): void {
    for (const key of this.#l1.keys()) this.#keys.add(key)
    this.#l1.clear()
    if (!this.#running) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      while (this.#keys.size > 0) {
        const batch = [...this.#keys.values().take(BATCH)]
        for (const key of batch) this.#keys.delete(key)
        // By a load, so that what is invalidated meanwhile is not kept.
        await this.#l1.getOrLoadMany(batch, missing => this.#find(missing))
      }
    } catch {
      // A load that this one joined failed, or the cache was closed: what is left is read when it is asked for.
      this.#keys.clear()
    } finally {
      this.#running = false
    }
  }

  async #find(keys: readonly string[]) {
    const { tier, uses, enabled } = this.#load
    const entries = enabled ? await tier.getMany(keys) : undefined
    // A tier that does not answer is not asked for the rest.
    if (entries === undefined) this.#keys.clear()
    return keys.map((_, index) => uses.fresh(entries?.[index], 0))
  }
}
