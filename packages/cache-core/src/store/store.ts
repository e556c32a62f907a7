/**
 * A moment in the life of a store, taken before a load begins and handed to the `set` of its result: the result is refused
 * if it was invalidated in between. Integers that only grow, never clocks that may disagree.
 */
export interface Fence {
  /** How many invalidations the store had seen, in a unit of its own. */
  readonly epoch: number
  /** When the fence was taken, ms on the store's clock. */
  readonly at: number
}

/** What a store returns for a key. */
export interface StoreEntry<V> {
  readonly value: V
  /** ms since 1970 from which on the value is stale; Infinity if never. 0 after an `expire`. */
  readonly expires: number
  /** ms since 1970 from which on the store no longer returns the value at all; at least {@link expires}. */
  readonly retained: number
  /** Epoch at which the value's load began. */
  readonly version: number
  readonly tags: readonly string[]
}

/** Options of one `set`. */
export interface StoreSetOptions {
  /** ms for which the value is fresh, > 0. Default: that of the store. */
  readonly ttl?: number
  /** ms for which a stale copy is kept after that, >= 0, for stale-while-revalidate and stale-if-error. Default: that of the store. */
  readonly retention?: number
  /** Names under which `deleteTag` and `expireTag` find the value. Default none. */
  readonly tags?: readonly string[]
  /**
   * From {@link Store.fence}, taken before the value was computed. Default: none; the value wins over everything that began
   * before.
   */
  readonly fence?: Fence
}

/** One element of a `setMany`. */
export interface StoreItem<V> extends StoreSetOptions {
  readonly key: string
  readonly value: V
}

/** Options of a call that can wait. */
export interface StoreCallOptions {
  /** Rejects the call with the signal's reason. What was sent may still take effect. */
  readonly signal?: AbortSignal
}

/** Counters since the store was opened by this process. */
export interface StoreStats {
  /** Keys read and returned, stale ones included. */
  readonly hits: number
  /** Keys read and not returned. */
  readonly misses: number
  /** Values stored. */
  readonly writes: number
  /** Values not stored because they were invalidated while they were computed, or are larger than the store. */
  readonly refused: number
  /** Keys deleted or expired by name. */
  readonly deletes: number
  /** Values dropped to stay within a limit. */
  readonly evictions: number
  /** Values that could not be read back: torn, damaged, or of an unknown format. Each counts as a miss too. */
  readonly corrupt: number
}

/**
 * A place outside the cache's own memory where values outlive the process or are shared by several: the second tier.
 *
 * **Invalidation.** `delete` makes values gone, `expire` makes them stale (returned, with `expires` in the past, as long as
 * they are retained); both exist for a key, a tag and everything. Each also outdates all fences taken before: a `set` with
 * such a fence is refused (resolves `false`) if it concerns the same key, tag or everything, and a `set` whose value is
 * older than the stored one is refused too. So a value that was invalidated while it was computed is never returned as fresh
 * afterwards, whichever process computed it.
 *
 * **Writes.** A `set` without a fence is a write of its own. It outdates the fences taken before as a `delete` does, so that no
 * load which began earlier is stored over it, and it replaces the value in one step: a reader gets the old one or the new one.
 *
 * **Errors.** A damaged entry is a miss. What fails as a whole (no connection, disk full) rejects; callers that cache decide
 * to go on without.
 *
 * Keys are any strings, ill-formed UTF-16 included. `storeContract` in this folder is the test suite of this interface.
 */
export interface Store<V> extends AsyncDisposable {
  /** The present epoch. Take it before the work begins whose result will be stored. */
  fence(options?: StoreCallOptions): Promise<Fence>
  get(key: string, options?: StoreCallOptions): Promise<StoreEntry<V> | undefined>
  /** One result per key, in the same order. */
  getMany(
    keys: readonly string[],
    options?: StoreCallOptions,
  ): Promise<(StoreEntry<V> | undefined)[]>
  /** Whether the value was stored. */
  set(key: string, value: V, options?: StoreSetOptions & StoreCallOptions): Promise<boolean>
  /** Whether each value was stored. Of several for the same key the last one counts. */
  setMany(items: readonly StoreItem<V>[], options?: StoreCallOptions): Promise<boolean[]>
  /** Whether there was a value to delete. */
  delete(key: string, options?: StoreCallOptions): Promise<boolean>
  /** How many of the keys had a value to delete. */
  deleteMany(keys: readonly string[], options?: StoreCallOptions): Promise<number>
  /** Makes a value stale. Whether there was one. */
  expire(key: string, options?: StoreCallOptions): Promise<boolean>
  /** Makes all values with the tag gone, without visiting them. */
  deleteTag(tag: string, options?: StoreCallOptions): Promise<void>
  /** Makes all values with the tag stale, without visiting them. */
  expireTag(tag: string, options?: StoreCallOptions): Promise<void>
  /** Makes everything gone; with `{ expire: true }` stale. Only what belongs to this store, not its neighbours. */
  clear(options?: { readonly expire?: boolean } & StoreCallOptions): Promise<void>
  /**
   * Keys of values that are not gone, in no particular order, each at least once if it stays throughout. O(entries).
   *
   * @param options.prefix only keys that start with it
   */
  keys(options?: { readonly prefix?: string } & StoreCallOptions): AsyncIterable<string>
  stats(): StoreStats
  /** Releases files and connections. Calls made afterwards reject. */
  close(): Promise<void>
}
