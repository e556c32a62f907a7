import { type Clock, describeStats, InvalidOptionError } from '@millrace/kit'
import type { Advice } from '../advise/advisor.ts'
import type { Insight } from '../advise/insight.ts'
import { EntryWriter } from '../entry/entry-writer.ts'
import { globMatcher } from '../invalidate/glob-matcher.ts'
import { expireWhere, removeWhere } from '../invalidate/matching.ts'
import { TagTable } from '../invalidate/tag-table.ts'
import { FRESH, GONE, STALE } from '../kernel/entry.ts'
import { ABSENT, Kernel } from '../kernel/kernel.ts'
import type { BatchLoader } from '../load/batch-loader.ts'
import { loadMany } from '../load/load-many.ts'
import type { LoadOptions } from '../load/load-options.ts'
import type { Loaded } from '../load/loaded.ts'
import type { LoadContext, Loader } from '../load/loader.ts'
import { Loads } from '../load/loads.ts'
import type { CacheLimits, CacheOptions, ClearOptions, SetOptions } from './cache-options.ts'
import { CACHE_STATS_KINDS, type CacheStats, statsOf } from './cache-stats.ts'
import { checkLimits, checkSetOptions, clearsByExpiry } from './call-options.ts'
import { type Explanation, explain } from './explain.ts'
import { Maintenance } from './maintenance.ts'
import { settingsOf } from './settings.ts'

/** What is under a cache, for the other entries of this package. */
export interface CacheInternals<K, V> {
  readonly kernel: Kernel<K, V>
  readonly writer: EntryWriter<K, V>
  readonly loads: Loads<K, V>
  readonly enabled: boolean
}

/** @internal Opens a cache to the other entries of this package; no entry exports it. */
export let internalsOf: <K, V>(cache: Cache<K, V>) => CacheInternals<K, V>

/**
 * A bounded cache in the memory of this process.
 *
 * Every verb is O(1) unless it says otherwise. Keys are compared as `Map` compares them and may be of any type.
 */
export class Cache<K, V> {
  static {
    internalsOf = cache => ({
      kernel: cache.#kernel,
      writer: cache.#writer,
      loads: cache.#loads,
      enabled: cache.#enabled,
    })
  }

  readonly #kernel: Kernel<K, V>
  readonly #clock: Clock
  readonly #enabled: boolean
  readonly #tags = new TagTable()
  readonly #writer: EntryWriter<K, V>
  readonly #loads: Loads<K, V>
  readonly #insight: Insight<K> | undefined
  readonly #maintenance: Maintenance

  /** @throws {InvalidOptionError} if an option is outside its bounds or unknown. */
  constructor(options: CacheOptions<K, V> = {}) {
    const settings = settingsOf(options)
    const { maxBytes, weigher, idleTtl, policy, onRemove } = settings
    const kernel = new Kernel<K, V>({
      ...settings,
      maxWeight: maxBytes,
      weighted: weigher !== undefined,
      idle: idleTtl === Infinity ? 0 : idleTtl,
    })
    if (onRemove !== undefined) kernel.onRemove = onRemove
    this.#kernel = kernel
    this.#clock = settings.clock
    this.#enabled = settings.enabled
    this.#insight = settings.insight?.(kernel, policy)
    const observer = this.#insight ?? null
    kernel.observe(observer)
    this.#maintenance = new Maintenance(kernel as Kernel<unknown, unknown>, settings)
    const parts = { ...settings, kernel, tags: this.#tags, observer, defaults: settings.loads }
    const writer = new EntryWriter<K, V>(parts)
    this.#writer = writer
    this.#loads = new Loads({ ...parts, writer })
  }

  /** Number of entries, expired ones that were not yet removed included. */
  get size(): number {
    return this.#kernel.size
  }

  /** The value under `key`, or `undefined` if there is none that is valid. Counts a hit or a miss. */
  get(key: K): V | undefined {
    const kernel = this.#kernel
    const slot = kernel.find(key)
    return slot === ABSENT ? undefined : kernel.values[slot]
  }

  /** Like `get`, but counts nothing and does not make the entry look used. */
  peek(key: K): V | undefined {
    const slot = this.#freshSlot(key)
    return slot === ABSENT ? undefined : this.#kernel.values[slot]
  }

  /** Whether there is a valid entry. Counts nothing. */
  has(key: K): boolean {
    return this.#freshSlot(key) !== ABSENT
  }

  /**
   * Stores a value, replacing an older one. A load of the key that is in progress will not replace it.
   *
   * @throws {InvalidOptionError} if `ttl` is not > 0, `tags` is not an array of strings, or an option is unknown.
   * @throws {WeigherError} if the weigher returned something else than a finite number >= 0.
   */
  set(key: K, value: V, options?: SetOptions): this {
    if (!this.#enabled) return this
    const { defaults } = this.#loads
    let { ttl } = this.#writer
    let { tags } = defaults
    if (options !== undefined) {
      checkSetOptions(options)
      if (options.ttl !== undefined) ttl = options.ttl
      if (options.tags !== undefined) tags = options.tags
    }
    if (this.#loads.inFlight !== 0) this.#loads.fence(key, STALE)
    this.#writer.write(key, value, ttl, tags, defaults)
    return this
  }

  /**
   * The value under `key`; if there is none, `loader` is called, once for all who ask meanwhile, and its
   * result is stored unless the key was invalidated while it loaded. A hit costs one resolved promise;
   * see {@link getOrLoadSync} to save that too.
   *
   * Rejects with what the loader threw, `LoadTimeoutError`, `LoadResultError`, the reason of `signal`, or
   * `InvalidOptionError`. Options are not read on a hit.
   */
  getOrLoad(key: K, loader: Loader<K, V>, options?: LoadOptions): Promise<V> {
    try {
      return Promise.resolve(this.#getOrLoad(key, loader, options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * As {@link getOrLoad}, but returns the value itself, without a promise, where it is in the cache or the
   * loader is synchronous, and throws where that fails at once.
   */
  getOrLoadSync(
    key: K,
    loader: (context: LoadContext<K, V>) => V | Loaded<V>,
    options?: LoadOptions,
  ): V
  getOrLoadSync(key: K, loader: Loader<K, V>, options?: LoadOptions): V | Promise<V>
  getOrLoadSync(key: K, loader: Loader<K, V>, options?: LoadOptions): V | Promise<V> {
    return this.#getOrLoad(key, loader, options)
  }

  /**
   * The values under `keys`, in their order. Those that are missing are loaded by one call of `loader`,
   * except those being loaded already. A key for which the loader has no value is not in the result.
   *
   * Rejects with `PartialLoadError`, which has the values there are, if a key failed; with the reason
   * of `signal`, or `InvalidOptionError`.
   */
  async getOrLoadMany(
    keys: Iterable<K>,
    loader: BatchLoader<K, V>,
    options?: LoadOptions,
  ): Promise<Map<K, V>> {
    return loadMany(this.#loads, keys, loader, this.#loads.plan(options))
  }

  /** Removes the entry. A load of the key in progress is not stored. True if there was a valid entry. */
  delete(key: K): boolean {
    if (this.#loads.inFlight !== 0) this.#loads.fence(key, GONE)
    return this.#kernel.remove(key, 'deleted')
  }

  /**
   * Ends the freshness of the entry: it is not read any more, but a stale copy may serve where
   * `staleWhileRevalidate` or `staleIfError` allow. True if there was a valid entry.
   */
  expire(key: K): boolean {
    if (this.#loads.inFlight !== 0) this.#loads.fence(key, STALE)
    const slot = this.#freshSlot(key)
    if (slot === ABSENT) return false
    this.#kernel.stale(slot)
    return true
  }

  /**
   * Removes every entry that has the tag, without looking for them: O(1), they leave when next met.
   *
   * @throws {InvalidOptionError} if `tag` is not a string.
   */
  deleteTag(tag: string): void {
    this.#tags.delete(tag)
  }

  /** Expires every entry that has the tag. O(1). */
  expireTag(tag: string): void {
    this.#tags.expire(tag, this.#clock.now())
  }

  /**
   * Removes every entry whose key is a string that matches a pattern, and returns how many were valid: `*` stands for any run of
   * characters, `?` for one, `\` makes the next one literal. O(n).
   *
   * @throws {InvalidOptionError} if `pattern` is not a string of 1 to 1,024 characters.
   */
  deleteMatching(pattern: string): number {
    const matches = globMatcher(pattern)
    this.#loads.fenceMatching(matches, GONE)
    return removeWhere(this.#kernel, matches)
  }

  /** Expires every entry whose key matches, as {@link deleteMatching} does. O(n). */
  expireMatching(pattern: string): number {
    return this.#expireWhere(globMatcher(pattern))
  }

  /**
   * Removes every entry; with `{ expire: true }` ends their freshness instead. Loads in progress are not
   * stored. O(n).
   */
  clear(options?: ClearOptions): void {
    if (clearsByExpiry(options)) {
      this.#expireWhere(every)
      return
    }
    this.#loads.fenceMatching(every, GONE)
    this.#tags.clear()
    this.#kernel.clear('cleared')
  }

  /** A snapshot of the counters. */
  stats(): CacheStats {
    return statsOf(this.#kernel, this.#loads)
  }

  /** Sets all counters of `stats` to 0. */
  resetStats(): void {
    this.#kernel.resetStats()
    this.#loads.resetStats()
  }

  /**
   * Estimates what other sizes and policies would give, from what was read so far.
   *
   * @throws {InvalidOptionError} if the cache was created without `insight`.
   */
  advise(): Advice {
    const advice = this.#insight?.advise()
    if (advice === undefined) {
      throw new InvalidOptionError('insight', '`insight()` for `advise` to work', undefined)
    }
    return advice
  }

  /** Why a read of `key` would hit or miss. Counts and changes nothing. O(1). */
  explain(key: K): Explanation {
    const entry = explain(this.#kernel, key, this.#insight?.reason(key))
    return { ...entry, ...this.#loads.explain(key) }
  }

  /**
   * Changes the limits while the cache is in use, and evicts what no longer fits. O(n).
   *
   * @throws {InvalidOptionError} if a limit is outside its bounds, or `maxBytes` is given without a weigher.
   */
  resize(limits: CacheLimits): void {
    const { maxEntries, maxBytes } = checkLimits(limits)
    this.#maintenance.resize(maxEntries, maxBytes)
  }

  /**
   * Removes what must not even be served stale any more, and returns how many entries that were: what `expire` and its kin made stale stays
   * until its ttl and the stale windows of the cache are over. Never needed for correctness. O(n).
   */
  purge(): number {
    return this.#kernel.purge()
  }

  /** Stops the timers of `sweepInterval` and `memoryPressure`. Entries stay readable. */
  close(): void {
    this.#maintenance.close()
  }

  /** As {@link close}. */
  [Symbol.dispose](): void {
    this.close()
  }

  /**
   * The entries that are valid now, in no particular order, without those that are removed before their turn comes. What is set
   * meanwhile does not appear, so that a loop that writes ends. Counts nothing.
   */
  *entries(): IterableIterator<[K, V]> {
    const kernel = this.#kernel
    for (const [key, slot] of kernel.entries()) {
      if (kernel.state(slot) === FRESH) yield [key, kernel.values[slot] as V]
    }
  }

  /** Keys of valid entries, as `entries`. */
  *keys(): IterableIterator<K> {
    for (const [key] of this.entries()) yield key
  }

  /** Values of valid entries, as `entries`. */
  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries()
  }

  #freshSlot(key: K): number {
    const slot = this.#kernel.locate(key)
    return slot !== ABSENT && this.#kernel.state(slot) === FRESH ? slot : ABSENT
  }

  #getOrLoad(key: K, loader: Loader<K, V>, options: LoadOptions | undefined): V | Promise<V> {
    const kernel = this.#kernel
    const slot = kernel.find(key)
    if (slot !== ABSENT && (kernel.details === null || !this.#loads.isDue(slot))) {
      return kernel.values[slot] as V
    }
    return this.#loads.load(key, loader, this.#loads.plan(options))
  }

  #expireWhere(matches: (key: K) => boolean): number {
    this.#loads.fenceMatching(matches, STALE)
    return expireWhere(this.#kernel, matches)
  }
}

const every = (): boolean => true

describeStats<CacheStats>(Cache.prototype, CACHE_STATS_KINDS)
