import {
  type Clock,
  checkFunction,
  checkPositiveOrInfinity,
  isThenable,
  wallClock,
} from '@millrace/kit'
import { Cache } from '../cache/cache.ts'
import type { SetOptions } from '../cache/cache-options.ts'
import { InvalidOptionError, PartialLoadError } from '../errors.ts'
import type { BatchLoader } from '../load/batch-loader.ts'
import { type LoadOptions, type LoadPlan, planLoad, planLoads } from '../load/load-options.ts'
import type { Loader } from '../load/loader.ts'
import type { Store } from '../store/contract/store.ts'
import { EntryUses } from './entry-uses.ts'
import { SecondTier } from './second-tier.ts'
import { withSoftTimeout } from './soft-timeout.ts'
import { TierChanges } from './tier-changes.ts'
import { TierLoad } from './tier-load.ts'
import type { TieredCacheOptions, TieredStats } from './tiered-options.ts'

/** How `get` reads: it has no loader to serve a stale value in place of. */
const FRESH_ONLY: LoadOptions = { staleWhileRevalidate: 0, staleIfError: 0 }

/**
 * A `Cache` over a `Store`: the same verbs, with values that outlive the process or are shared by several.
 *
 * - A read is answered by the first tier, else the second, else the loader, once for all who ask meanwhile. A hit in the
 *   first tier, tagged or not, costs no call of the second.
 * - A load takes a fence of the store before the loader is called. What was invalidated since, by any process, reaches its
 *   callers and is stored in neither tier.
 * - An invalidation is done when its promise resolves: whoever asks this process afterwards gets what was there then or
 *   later. Other processes follow when the bus delivers, or after `l1Ttl`.
 * - A second tier that is slow or down makes reads slower or loads more frequent, never fail; writes and invalidations
 *   reject with its error, after the first tiers were told.
 */
export class TieredCache<V> implements AsyncDisposable {
  readonly #l1: Cache<string, V>
  readonly #clock: Clock
  readonly #store: Store<V>
  readonly #tier: SecondTier<V>
  readonly #load: TierLoad<V>
  readonly #changes: TierChanges<V>
  readonly #defaults: LoadPlan
  readonly #enabled: boolean

  /** @throws {InvalidOptionError} if an option is outside its bounds. */
  constructor(options: TieredCacheOptions<V>) {
    const { store, bus, lease, l1Ttl = Infinity, storeDeadline = 2_000, ...l1 } = options
    const clock: Clock = options.clock ?? wallClock
    if (typeof store?.fence !== 'function') throw new InvalidOptionError('store', 'a Store', store)
    checkPositiveOrInfinity('l1Ttl', l1Ttl)
    checkPositiveOrInfinity('storeDeadline', storeDeadline)
    this.#l1 = new Cache({ ...l1, ttl: Math.min(l1Ttl, l1.ttl ?? Infinity) })
    this.#clock = clock
    this.#store = store
    this.#tier = new SecondTier(store, clock, storeDeadline)
    this.#enabled = options.enabled ?? true
    this.#load = new TierLoad(this.#tier, lease, new EntryUses<V>(clock, l1Ttl), this.#enabled)
    this.#defaults = planLoads(l1)
    this.#changes = new TierChanges(this.#l1, l1Ttl, this.#tier, this.#load, bus)
  }

  /** The fresh value of `key` in either tier, or `undefined`. */
  async get(key: string): Promise<V | undefined> {
    if (this.#l1.has(key)) return this.#l1.get(key)
    try {
      return (await this.getMany([key])).get(key)
    } catch (error) {
      throw error instanceof PartialLoadError ? error.cause : error
    }
  }

  /**
   * The fresh values of `keys` in either tier, those that the first tier lacks by one read of the second. Rejects with
   * `PartialLoadError` where a key is being loaded and that fails.
   */
  getMany(keys: Iterable<string>): Promise<Map<string, V>> {
    // A batch may leave a key out; whoever joins it with a loader then calls that.
    return this.#l1.getOrLoadMany(keys, missing => this.#load.find(missing), FRESH_ONLY)
  }

  /** The value of `key` in either tier, or what `loader` returns, as `Cache.getOrLoad`. */
  getOrLoad(key: string, loader: Loader<string, V>, options?: LoadOptions): Promise<V> {
    try {
      if (this.#mayStandIn(options) && !this.#l1.has(key)) {
        const plan = this.#plan(options)
        return withSoftTimeout(
          plan,
          this.#clock,
          signal => this.#getOrLoad(key, loader, { ...options, signal }),
          async () => (await this.#load.standIns([key], plan))?.get(key)?.value,
        )
      }
      return this.#getOrLoad(key, loader, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #getOrLoad(key: string, loader: Loader<string, V>, options?: LoadOptions): Promise<V> {
    try {
      checkFunction('loader', loader)
      const answer = this.#l1.getOrLoadSync(
        key,
        context => this.#load.one(context, loader, this.#plan(options)),
        options,
      )
      if (!isThenable(answer)) return Promise.resolve(answer)
      return answer.then(value => {
        if (this.#load.takeDue(key)) this.#refresh(key, loader, options)
        return value
      })
    } catch (error) {
      return Promise.reject(error)
    }
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
    if (!this.#mayStandIn(options)) return this.#getOrLoadMany(keys, loader, options)
    const plan = this.#plan(options)
    const wanted = [...new Set(keys)]
    return withSoftTimeout(
      plan,
      this.#clock,
      signal => this.#getOrLoadMany(wanted, loader, { ...options, signal }),
      () => this.#standIns(wanted, plan),
    )
  }

  async #getOrLoadMany(
    keys: Iterable<string>,
    loader: BatchLoader<string, V>,
    options?: LoadOptions,
  ): Promise<Map<string, V>> {
    checkFunction('loader', loader)
    const plan = this.#plan(options)
    const results = await this.#l1.getOrLoadMany(
      keys,
      (missing, context) => this.#load.many(missing, context, loader, plan),
      options,
    )
    const due = [...results.keys()].filter(key => this.#load.takeDue(key))
    if (due.length !== 0) {
      const refresh = this.#l1.getOrLoadMany(
        due,
        (missing, context) => this.#load.many(missing, context, loader, plan, true),
        { ...options, signal: undefined },
      )
      // Nobody waits for it: its failure is counted and published by the first tier.
      refresh.catch(() => {})
    }
    return results
  }

  /** Stores a value in both tiers and drops it from the first tiers of other processes. Rejects if the store fails. */
  async set(key: string, value: V, options: SetOptions = {}): Promise<void> {
    await this.setMany([[key, value]], options)
  }

  /** Stores values in both tiers by one write, as {@link set}. Of several for one key the last one counts. */
  async setMany(entries: Iterable<readonly [string, V]>, options: SetOptions = {}): Promise<void> {
    const values = new Map(entries)
    if (this.#enabled && values.size !== 0) {
      await this.#changes.set(values, options, this.#defaults)
    }
  }

  /** Removes the value from both tiers. Whether the store had one. */
  delete(key: string): Promise<boolean> {
    return this.#changes.invalidate('delete', 'key', [key], () => this.#store.delete(key))
  }

  /** Removes values from both tiers by one call of the store. How many the store had. */
  async deleteMany(keys: Iterable<string>): Promise<number> {
    const names = [...new Set(keys)]
    if (names.length === 0) return 0
    return this.#changes.invalidate('delete', 'key', names, () => this.#store.deleteMany(names))
  }

  /** Makes the value stale in both tiers. Whether the store had one. */
  expire(key: string): Promise<boolean> {
    return this.#changes.invalidate('expire', 'key', [key], () => this.#store.expire(key))
  }

  /** Removes every value that has the tag, without visiting them. */
  deleteTag(tag: string): Promise<void> {
    return this.#changes.invalidate('delete', 'tag', [tag], () => this.#store.deleteTag(tag))
  }

  /** Makes every value that has the tag stale, without visiting them. */
  expireTag(tag: string): Promise<void> {
    return this.#changes.invalidate('expire', 'tag', [tag], () => this.#store.expireTag(tag))
  }

  /**
   * Removes every value whose key matches a pattern of `*`, `?` and `\`. O(keys of the store that begin as the pattern
   * does). A load of such a key in another process that began before is caught by the bus, some time after this resolves,
   * as no store knows patterns; tags leave no such gap.
   */
  deleteMatching(pattern: string): Promise<void> {
    return this.#changes.matching('delete', pattern)
  }

  /** Makes every value whose key matches stale. As {@link deleteMatching}. */
  expireMatching(pattern: string): Promise<void> {
    return this.#changes.matching('expire', pattern)
  }

  /** Removes everything from both tiers; with `{ expire: true }` makes it stale. */
  clear({ expire = false }: { expire?: boolean } = {}): Promise<void> {
    const verb = expire ? 'expire' : 'delete'
    return this.#changes.invalidate(verb, 'all', [''], () => this.#store.clear({ expire }))
  }

  stats(): TieredStats {
    return {
      l1: this.#l1.stats(),
      store: this.#store.stats(),
      storeHits: this.#load.hits,
      storeMisses: this.#load.misses,
      storeFailures: this.#tier.failures,
      storeRefusals: this.#tier.refusals,
      leased: this.#load.leased,
      received: this.#changes.received,
      gaps: this.#changes.gaps,
      publishFailures: this.#changes.publishFailures,
    }
  }

  /** Leaves the bus and forgets the first tier. The store and the bus stay open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#changes.unsubscribe?.()
    this.#l1.clear()
  }

  /** Whether a caller may get a stale value at a soft timeout. */
  #mayStandIn(options: LoadOptions | undefined): boolean {
    const { softTimeout, staleIfError } = this.#defaults
    return (
      this.#enabled &&
      (options?.softTimeout ?? softTimeout) !== Infinity &&
      (options?.staleIfError ?? staleIfError) !== 0
    )
  }

  /** The values of all `keys`, fresh or stale, or `undefined` if one has none. */
  async #standIns(keys: readonly string[], plan: LoadPlan): Promise<Map<string, V> | undefined> {
    const found = await this.#load.standIns(keys, plan)
    const values = new Map<string, V>()
    for (const key of keys) {
      const value = this.#l1.peek(key) ?? found?.get(key)?.value
      if (value === undefined) return undefined
      values.set(key, value)
    }
    return values
  }

  #refresh(key: string, loader: Loader<string, V>, options: LoadOptions | undefined): void {
    const plan = this.#plan(options)
    const refresh = this.#l1.getOrLoad(
      key,
      context => this.#load.one(context, loader, plan, true),
      { ...options, signal: undefined },
    )
    // As above: nobody waits.
    refresh.catch(() => {})
  }

  #plan(options: LoadOptions | undefined): LoadPlan {
    return options === undefined ? this.#defaults : planLoad(options, this.#defaults)
  }
}
