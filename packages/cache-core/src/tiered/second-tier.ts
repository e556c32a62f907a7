import type { Clock } from '@millrace/kit'
import type { Fence, Store, StoreEntry, StoreItem } from '../store/contract/store.ts'

/**
 * A store as a load sees it: it may be slow, absent or broken, and the load goes on without it. What fails or passes the
 * deadline counts as a miss on reads, and as not done on writes.
 */
export class SecondTier<V> {
  readonly store: Store<V>
  readonly #clock: Clock
  readonly #deadline: number
  failures = 0
  refusals = 0

  constructor(store: Store<V>, clock: Clock, deadline: number) {
    this.store = store
    this.#clock = clock
    this.#deadline = deadline
  }

  async getMany(keys: readonly string[]): Promise<readonly (StoreEntry<V> | undefined)[]> {
    return (await this.tryMany(keys)) ?? keys.map(() => undefined)
  }

  /** `undefined` if the store does not answer. */
  tryMany(keys: readonly string[]): Promise<readonly (StoreEntry<V> | undefined)[] | undefined> {
    const [only] = keys
    return keys.length === 1
      ? this.#attempt(async () => [await this.store.get(only!)])
      : this.#attempt(() => this.store.getMany(keys))
  }

  /** `undefined` if there is none to be had: then nothing may be written. */
  fence(): Promise<Fence | undefined> {
    return this.#attempt(() => this.store.fence())
  }

  /** For each item `false` if the store refused it, as it was invalidated since its fence. */
  async setMany(items: readonly StoreItem<V>[]): Promise<readonly boolean[]> {
    const [only] = items
    const stored =
      items.length === 1
        ? await this.#attempt(async () => [await this.store.set(only!.key, only!.value, only)])
        : await this.#attempt(() => this.store.setMany(items))
    if (stored === undefined) return items.map(() => true)
    for (const kept of stored) if (!kept) this.refusals++
    return stored
  }

  async #attempt<T>(call: () => Promise<T>): Promise<T | undefined> {
    let late = false
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const timer = this.#clock.setTimer(() => {
      late = true
      this.failures++
      resolve(undefined)
    }, this.#deadline)
    try {
      // Without a signal, which would cost more than the rest: what a store does too late harms nobody.
      return await Promise.race([call(), promise])
    } catch {
      // Counted, and as good as a miss.
      if (!late) this.failures++
      return undefined
    } finally {
      timer.cancel()
    }
  }
}
