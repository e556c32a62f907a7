import type {
  Store,
  StoreEntry,
  StoreItem,
  StoreSetOptions,
  StoreStats,
} from '@millrace/cache-core/store'

/** What the demo needs of a store. Every `Store` has it. */
export type CacheStore<V> = Pick<
  Store<V>,
  'get' | 'getMany' | 'set' | 'setMany' | 'stats' | 'close'
>

/**
 * A store whose failures are misses: a cache that breaks in the middle of a run costs time, never the result. The first
 * failure is reported.
 */
export class ForgivingStore<V> implements CacheStore<V> {
  readonly #store: CacheStore<V>
  readonly #report: (error: Error) => void
  #failed = false

  constructor(store: CacheStore<V>, report: (error: Error) => void) {
    this.#store = store
    this.#report = report
  }

  get(key: string): Promise<StoreEntry<V> | undefined> {
    return this.#try(store => store.get(key), undefined)
  }

  getMany(keys: readonly string[]): Promise<(StoreEntry<V> | undefined)[]> {
    return this.#try(
      store => store.getMany(keys),
      keys.map(() => undefined),
    )
  }

  set(key: string, value: V, options?: StoreSetOptions): Promise<boolean> {
    return this.#try(store => store.set(key, value, options), false)
  }

  setMany(items: readonly StoreItem<V>[]): Promise<boolean[]> {
    return this.#try(
      store => store.setMany(items),
      items.map(() => false),
    )
  }

  stats(): StoreStats {
    return this.#store.stats()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  async #try<T>(operation: (store: CacheStore<V>) => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await operation(this.#store)
    } catch (error) {
      if (!this.#failed) this.#report(error as Error)
      this.#failed = true
      return otherwise
    }
  }
}
