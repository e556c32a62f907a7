import type { StatsKinds } from '@millrace/kit'
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
  /** ms on the store's clock from which on the value is stale; Infinity if never. 0 after an `expire`. */
  readonly expires: number
  /** ms on the store's clock from which on the store no longer returns the value at all; at least {@link expires}. */
  readonly retained: number
  /** Epoch at which the value's load began. */
  readonly version: number
  readonly tags: readonly string[]
  /**
   * When the value was read, ms on the store's clock, so that callers whose clock differs can tell how long it remains fresh.
   * Default: the wall clock of the caller.
   */
  readonly at?: number | undefined
}

/** Values and the fence for the loads of those that are missing, as one reading. */
export interface StoreLookup<V> {
  /** One result per key, in the same order. */
  readonly entries: readonly (StoreEntry<V> | undefined)[]
  readonly fence: Fence
}

/** Options of one `set`. */
export interface StoreSetOptions {
  /** ms for which the value is fresh, above 0. Default: that of the store. */
  readonly ttl?: number | undefined
  /** ms for which a stale copy is kept after that, at least 0, for stale-while-revalidate and stale-if-error. Default: that of the store. */
  readonly retention?: number | undefined
  /** Names under which `deleteTag` and `expireTag` find the value. Default: none. */
  readonly tags?: readonly string[] | undefined
  /**
   * From {@link Store.fence} or {@link Store.lookup}, taken before the value was computed. Default: none; the value wins over
   * everything that began before.
   */
  readonly fence?: Fence | undefined
}

/** One element of a `setMany`. */
export interface StoreItem<V> extends StoreSetOptions {
  readonly key: string
  readonly value: V
}

/** Options of a call that can wait. */
export interface StoreCallOptions {
  /** Rejects the call with the signal's reason. What was sent may still take effect. */
  readonly signal?: AbortSignal | undefined
}

/** Options of a `keys`. */
export interface StoreKeysOptions extends StoreCallOptions {
  /** Only keys that start with it, literally. Default: all. */
  readonly prefix?: string | undefined
}

/** Options of a `clear`. */
export interface StoreClearOptions extends StoreCallOptions {
  /** Makes everything stale instead of gone. Default: false. */
  readonly expire?: boolean | undefined
}

/** Counters since the store was opened by this process. */
export interface StoreStats {
  /** Keys read and returned, stale ones included. */
  readonly hits: number
  /** Keys read and not returned. */
  readonly misses: number
  /** Values stored. */
  readonly writes: number
  /**
   * Values not stored: invalidated while they were computed, larger than the store, without an encoding, or impossible to keep
   * beside what is stored.
   */
  readonly refused: number
  /** Keys deleted or expired by name. */
  readonly deletes: number
  /** Values dropped to stay within a limit. */
  readonly evictions: number
  /**
   * Values that could not be read back: torn, damaged, or of an unknown format. Each counts as a miss too. Also records of
   * invalidations that are torn or damaged: everything is gone then.
   */
  readonly corrupt: number
}

/**
 * A place outside the cache's own memory where values outlive the process or are shared by several: the second tier. Batches
 * come first: a call for one key is a batch of one. `@millrace/cache-core/store-contract` is the test suite of this interface;
 * what an implementation must do is the following.
 *
 * **Reads.** Each call is one snapshot. A reader never combines what was there before another process's write or invalidation
 * with what was there after it, however many statements, files or messages the call needs.
 *
 * **Invalidation.** `delete` makes values gone, `expire` makes them stale (returned, with `expires` 0, as long as they are
 * retained); both exist for keys, a tag and everything. Each also outdates all fences taken before: a `set` with such a fence is
 * refused (`false`) if it concerns the same key, tag or everything, and a `set` whose value is older than the stored one is
 * refused too. So a value that was invalidated while it was computed is never returned as fresh afterwards, whichever process
 * computed it. An invalidation that resolved holds for every process from then on, even where files were removed or replaced
 * under the store: then the call works on what is there now, or rejects. An older state of the files that is put in their place under a
 * running store is never served.
 *
 * **Writes.** A `set` without a fence is a write of its own. It outdates the fences taken before as a `delete` does, so that no
 * load which began earlier is stored over it, and it replaces the value in one step: a reader gets the old one or the new one.
 * `true` means that a read finds the value now. `false` means that it was refused, which `stats().refused` counts and which touches
 * no other key. A call that rejects has stored nothing.
 *
 * **Order.** Calls of one instance that concern one key take effect in the order in which they were begun, but for one that was given up
 * by a time-out, which may take effect later.
 *
 * **Values.** `undefined` means "none" and is refused whatever the codec can keep. A value that cannot be encoded makes `set` reject
 * with `UnencodableValueError`; in `setMany` it is refused alone and the others are stored. Both leave the key's old value. A value that is
 * larger than the store is refused, and the key's old value goes if the write outdates it.
 *
 * **Names.** Keys and tags are any strings of any length, ill-formed UTF-16 included, compared by code units.
 *
 * **Arguments.** A key or tag that is no string, a list that is no array, and options that are none, have an unknown name or a value out of
 * bounds are refused with an error of code `ERR_MILLRACE_INVALID_OPTION` before anything is read or changed: `checkKey`, `checkKeys`,
 * `checkItems`, `checkSetOptions` and their kin do that. Options that are `undefined` count as absent. Lists are what they were when the
 * call began. A fence of another store is no mistake; what it guards is refused.
 *
 * **Time.** Time to live is time that has passed since the write. A wall clock that is set back must not keep a value longer.
 *
 * **Errors.** A damaged entry is a miss. What fails as a whole (no connection, disk full, file removed) rejects; callers that
 * cache decide to go on without. A store that can wait for something outside the process should end each call by a time-out of its own;
 * `TieredCache` gives up after `storeTimeout` in any case.
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
  /**
   * {@link getMany} and {@link fence} by one call, for loads: nothing that happened after the fence is in the entries that a load
   * starts from, or the fence refuses the load's result.
   */
  lookup(keys: readonly string[], options?: StoreCallOptions): Promise<StoreLookup<V>>
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
  /** Makes values stale. How many of the keys had one. */
  expireMany(keys: readonly string[], options?: StoreCallOptions): Promise<number>
  /** Makes all values with the tag gone, without visiting them. */
  deleteTag(tag: string, options?: StoreCallOptions): Promise<void>
  /** Makes all values with the tag stale, without visiting them. */
  expireTag(tag: string, options?: StoreCallOptions): Promise<void>
  /** Makes everything gone; with `{ expire: true }` stale. Only what belongs to this store, not its neighbours. */
  clear(options?: StoreClearOptions): Promise<void>
  /**
   * Keys of values that are not gone, in no particular order, each at least once if it stays throughout. What is written meanwhile need
   * not appear, and a loop that writes ends. O(entries).
   */
  keys(options?: StoreKeysOptions): AsyncIterable<string>
  stats(): StoreStats
  /** Releases files and connections. Calls made afterwards reject. */
  close(): Promise<void>
}

/** What the numbers of {@link StoreStats} are. */
export const STORE_STATS_KINDS: StatsKinds<StoreStats> = {
  hits: 'counter',
  misses: 'counter',
  writes: 'counter',
  refused: 'counter',
  deletes: 'counter',
  evictions: 'counter',
  corrupt: 'counter',
}
