import {
  checkOptions,
  describeStats,
  type OptionNames,
  type StatsKinds,
  statsKindsOf,
} from '@millrace/kit'
import type { ClearOptions, SetOptions } from '../cache/cache-options.ts'
import { checkIterable } from '../iterate/check-iterable.ts'
import type { BatchLoader } from '../load/batch-loader.ts'
import type { LoadOptions } from '../load/load-options.ts'
import type { Loader } from '../load/loader.ts'
import { UnencodableValueError } from '../store/contract/errors.ts'
import type { Store, StoreStats } from '../store/contract/store.ts'
import type { Invalidation } from './bus/invalidation-bus.ts'
import { checkKeys, distinctKeys } from './load/check-keys.ts'
import { checkSet, setMany, setOne } from './set-call.ts'
import { countOf } from './store/bounded-store.ts'
import { CacheClosedError } from './store/tier-errors.ts'
import type { TierReads } from './tier-reads.ts'
import { TIERED_STATS_KINDS, type TieredCacheOptions, type TieredStats } from './tiered-options.ts'
import { Tiers } from './tiers.ts'

/** Keys of the store that are read at a time. */
const PAGE = 500
const CLEAR_OPTIONS: OptionNames<ClearOptions> = { expire: true }

/**
 * A `Cache` over a `Store`: the same verbs, with values that outlive the process or are shared by several.
 *
 * - A read is answered by the first tier, else the second, else the loader, once for all who ask meanwhile. A hit in the
 *   first tier, tagged or not, costs no call of the second.
 * - A load takes a fence of the store before the loader is called. What was invalidated since, by any process, reaches its
 *   callers and is stored in neither tier.
 * - An invalidation is done when its promise resolves: a later call in this process gets what was there then or
 *   later. Other processes follow when the bus delivers, or after `l1Ttl`.
 * - A second tier that is slow or down makes reads slower or loads more frequent, never fail; after several failures in a row it is
 *   left alone for a while. Writes and invalidations reject with its error, at the latest after `storeTimeout`, when the first tiers
 *   were told. An invalidation that failed holds in this process at once, and is repeated until the store and the other processes have it.
 */
export class TieredCache<V> implements AsyncDisposable {
  readonly #tiers: Tiers<V>
  readonly #reads: TierReads<V>
  #closing: Promise<void> | undefined

  /** @throws {InvalidOptionError} if an option is outside its bounds or unknown. */
  constructor(options: TieredCacheOptions<V>) {
    this.#tiers = new Tiers(options)
    this.#reads = this.#tiers.reads
    // A store may count more than every store does.
    const kinds = statsKindsOf(options.store) as StatsKinds<StoreStats> | undefined
    if (kinds !== undefined)
      describeStats<TieredStats>(this, { ...TIERED_STATS_KINDS, store: kinds })
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return this.#closing !== undefined
  }

  /**
   * The fresh value of `key` in either tier now, or `undefined`, as `Cache.get`: it waits for no load, and a store that fails has none.
   */
  async get(key: string): Promise<V | undefined> {
    this.#enter()
    return this.#tiers.finds.get(key)
  }

  /** The fresh values of `keys` in either tier, those that the first tier lacks by one read of the second, as {@link get}. */
  async getMany(keys: Iterable<string>): Promise<Map<string, V>> {
    this.#enter()
    return this.#tiers.finds.getMany(distinctKeys(keys))
  }

  /**
   * The fresh value of `key` in either tier, or `undefined`, without a use of it: nothing is counted or moved in the first tier. Rejects
   * where the store fails, as `entries` does: who only looks wants to know.
   */
  async peek(key: string): Promise<V | undefined> {
    this.#enter()
    return this.#tiers.l1.peek(key) ?? (await this.#tiers.load.peek([key])).get(key)
  }

  /**
   * The fresh values of the second tier, in no particular order, each at least once if it stays throughout, without a use of them.
   * O(entries of the store). Throws where the store fails.
   */
  async *entries(): AsyncGenerator<[string, V], void, undefined> {
    this.#enter()
    this.#tiers.load.writes?.flush()
    for await (const keys of this.#tiers.store.pages('', PAGE, () => this.#enter())) {
      yield* await this.#tiers.load.peek(keys)
    }
  }

  /** The value of `key` in either tier, or what `loader` returns, as `Cache.getOrLoad`. */
  getOrLoad(key: string, loader: Loader<string, V>, options?: LoadOptions): Promise<V> {
    if (this.#closing !== undefined) return Promise.reject(new CacheClosedError())
    return this.#reads.getOrLoad(key, loader, options)
  }

  /**
   * The values of `keys`: those the first tier lacks by one read of the second, and those both lack by one call of
   * `loader`, as `Cache.getOrLoadMany`.
   */
  async getOrLoadMany(
    keys: Iterable<string>,
    loader: BatchLoader<string, V>,
    options?: LoadOptions,
  ): Promise<Map<string, V>> {
    this.#enter()
    return this.#reads.getOrLoadMany(distinctKeys(keys), loader, options)
  }

  /**
   * Stores a value in both tiers and drops it from the first tiers of other processes. Whether it is stored; `false` if it was overtaken
   * by an invalidation or is larger than the store.
   *
   * Rejects with `UnencodableValueError`, `undefined` included, with what the `weigher` throws, and if the store fails: then the key is
   * deleted as soon as it answers.
   */
  async set(key: string, value: V, options: SetOptions = {}): Promise<boolean> {
    this.#enter()
    checkSet([key], options)
    if (value === undefined) throw new UnencodableValueError()
    if (!this.#tiers.enabled) return false
    this.#tiers.check(key, value)
    const values = new Map([[key, value]])
    return (await this.#tiers.changes.set(values, options, this.#tiers.defaults, setOne)).has(key)
  }

  /**
   * Stores values in both tiers by one write. Whether each is stored, as {@link set}; a value without an encoding, or one for which the
   * `weigher` throws, is not, and does not concern the others. Of several for one key the last one counts.
   */
  async setMany(
    entries: Iterable<readonly [string, V]>,
    options: SetOptions = {},
  ): Promise<boolean[]> {
    this.#enter()
    const items = [...checkIterable('entries', entries)]
    const values = new Map(items)
    checkSet(values.keys(), options)
    if (!this.#tiers.enabled || items.length === 0) return items.map(() => false)
    const fit = new Map([...values].filter(([key, value]) => this.#tiers.fits(key, value)))
    const stored = await this.#tiers.changes.set(fit, options, this.#tiers.defaults, setMany)
    return items.map(([key]) => stored.has(key))
  }

  /** Removes the value from both tiers. Whether the store had one. */
  async delete(key: string): Promise<boolean> {
    const had = await this.#invalidate('delete', 'key', [key], store => store.delete(key))
    return had === true
  }

  /** Removes values from both tiers by one call of the store. How many the store had. */
  async deleteMany(keys: Iterable<string>): Promise<number> {
    this.#enter()
    const names = distinctKeys(keys)
    if (names.length === 0) return 0
    return countOf(await this.#invalidate('delete', 'key', names, store => store.deleteMany(names)))
  }

  /** Makes the value stale in both tiers. Whether the store had one. */
  async expire(key: string): Promise<boolean> {
    const had = await this.#invalidate('expire', 'key', [key], store => store.expire(key))
    return had === true
  }

  /** Makes values stale in both tiers by one call of the store. How many the store had. */
  async expireMany(keys: Iterable<string>): Promise<number> {
    this.#enter()
    const names = distinctKeys(keys)
    if (names.length === 0) return 0
    return countOf(await this.#invalidate('expire', 'key', names, store => store.expireMany(names)))
  }

  /** Removes every value that has the tag, without visiting them. */
  async deleteTag(tag: string): Promise<void> {
    return this.#invalidate('delete', 'tag', [tag], store => store.deleteTag(tag))
  }

  /** Makes every value that has the tag stale, without visiting them. */
  async expireTag(tag: string): Promise<void> {
    return this.#invalidate('expire', 'tag', [tag], store => store.expireTag(tag))
  }

  /**
   * Removes every value whose key matches a pattern of `*`, `?` and `\`. O(keys of the store that begin as the pattern
   * does). A load of such a key in another process that began before is caught by the bus, some time after this resolves,
   * as no store knows patterns; tags leave no such gap.
   */
  async deleteMatching(pattern: string): Promise<void> {
    this.#enter()
    return this.#tiers.changes.matching('delete', pattern)
  }

  /** Makes every value whose key matches stale. As {@link deleteMatching}. */
  async expireMatching(pattern: string): Promise<void> {
    this.#enter()
    return this.#tiers.changes.matching('expire', pattern)
  }

  /** Removes everything from both tiers; with `{ expire: true }` makes it stale. */
  async clear(options: ClearOptions = {}): Promise<void> {
    const { expire = false } = checkOptions('', options, CLEAR_OPTIONS)
    const verb = expire ? 'expire' : 'delete'
    return this.#invalidate(verb, 'all', [''], store => store.clear({ expire }))
  }

  stats(): TieredStats {
    return this.#tiers.stats()
  }

  /**
   * Ends the cache: lets writes and invalidations end, tries once more what did not reach the store, leaves the bus, forgets the first
   * tier and drops all timers, within a few times `storeTimeout`. Loads in progress and calls made afterwards reject with
   * `CacheClosedError`. The store, the bus and the lease stay open.
   */
  close(): Promise<void> {
    this.#closing ??= this.#tiers.close()
    return this.#closing
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @throws {CacheClosedError} */
  #enter(): void {
    if (this.#closing !== undefined) throw new CacheClosedError()
  }

  async #invalidate<T>(
    verb: Invalidation['verb'],
    target: Invalidation['target'],
    names: readonly string[],
    act: (store: Store<V>) => PromiseLike<T>,
  ): Promise<T> {
    this.#enter()
    if (target === 'key') checkKeys(names)
    return this.#tiers.changes.invalidate(verb, target, names, () => this.#tiers.store.call(act))
  }
}

describeStats<TieredStats>(TieredCache.prototype, TIERED_STATS_KINDS)
