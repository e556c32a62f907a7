import type { Clock } from '../clock.ts'
import type { Fence, Store, StoreEntry, StoreItem } from '../store/store.ts'

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
    const [only] = keys
    if (keys.length === 1) return [await this.#attempt(signal => this.store.get(only!, { signal }))]
    return (
      (await this.#attempt(signal => this.store.getMany(keys, { signal }))) ??
      keys.map(() => undefined)
    )
  }

  /** `undefined` if there is none to be had: then nothing may be written. */
  fence(): Promise<Fence | undefined> {
    return this.#attempt(signal => this.store.fence({ signal }))
  }

  /** For each item `false` if the store refused it, as it was invalidated since its fence. */
  async setMany(items: readonly StoreItem<V>[]): Promise<readonly boolean[]> {
    const [only] = items
    const stored =
      items.length === 1
        ? await this.#attempt(async signal => [
            await this.store.set(only!.key, only!.value, { ...only!, signal }),
          ])
        : await this.#attempt(signal => this.store.setMany(items, { signal }))
    if (stored === undefined) return items.map(() => true)
    for (const kept of stored) if (!kept) this.refusals++
    return stored
  }

  async #attempt<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const controller = new AbortController()
    const late = Promise.withResolvers<undefined>()
    const timer = this.#clock.setTimer(() => {
      this.failures++
      late.resolve(undefined)
      controller.abort()
    }, this.#deadline)
    try {
      // A store that does not heed the signal is not waited for either.
      return await Promise.race([call(controller.signal), late.promise])
    } catch {
      if (!controller.signal.aborted) this.failures++
      return undefined
    } finally {
      timer.cancel()
    }
  }
}
