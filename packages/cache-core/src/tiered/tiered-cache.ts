import { Cache } from '../cache.ts'
import { type Clock, systemClock } from '../clock.ts'
import { InvalidOptionError, PartialLoadError } from '../errors.ts'
import { Glob } from '../invalidate/glob.ts'
import type { BatchLoader } from '../load/load-many.ts'
import { type LoadOptions, type LoadPlan, planLoad } from '../load/load-options.ts'
import { isPromiseLike } from '../load/load-run.ts'
import { assertLoader, type Loader } from '../load/loads.ts'
import { assertPositive, type SetOptions } from '../options.ts'
import type { Store } from '../store/store.ts'
import type { BusListener, Invalidation, InvalidationBus } from './invalidation-bus.ts'
import { SecondTier } from './second-tier.ts'
import { TierLoad } from './tier-load.ts'
import type { TieredCacheOptions, TieredStats } from './tiered-options.ts'

/** Keys deleted or expired at a time by a pattern. */
const BATCH = 500

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
  readonly #store: Store<V>
  readonly #tier: SecondTier<V>
  readonly #load: TierLoad<V>
  readonly #bus: InvalidationBus | undefined
  readonly #unsubscribe: (() => void) | undefined
  readonly #defaults: LoadPlan
  readonly #enabled: boolean
  /** The last `set` of each key that is on its way to the store. */
  readonly #writes = new Map<string, object>()
  #received = 0
  #gaps = 0
  #publishFailures = 0

  /** @throws {InvalidOptionError} if an option is outside its bounds. */
  constructor(options: TieredCacheOptions<V>) {
    const { store, bus, lease, l1Ttl = Infinity, storeDeadline = 2_000, ...l1 } = options
    const clock: Clock = options.clock ?? systemClock
    if (typeof store?.fence !== 'function') throw new InvalidOptionError('store', 'a Store', store)
    assertPositive('l1Ttl', l1Ttl)
    assertPositive('storeDeadline', storeDeadline)
    this.#l1 = new Cache({ ...l1, ttl: Math.min(l1Ttl, l1.ttl ?? Infinity) })
    this.#store = store
    this.#tier = new SecondTier(store, clock, storeDeadline)
    this.#enabled = options.enabled ?? true
    this.#load = new TierLoad(this.#tier, lease, clock, l1Ttl, this.#enabled)
    this.#defaults = planLoad(l1)
    this.#bus = bus
    this.#unsubscribe = bus?.subscribe(this.#listener())
  }

  /** The fresh value of `key` in either tier, or `undefined`. */
  async get(key: string): Promise<V | undefined> {
    if (this.#l1.has(key)) return this.#l1.get(key)
    try {
      // A batch may leave a key out; whoever joins it with a loader then calls that.
      const found = await this.#l1.getOrLoadMany([key], keys => this.#load.find(keys), FRESH_ONLY)
      return found.get(key)
    } catch (error) {
      // It joined a load that failed.
      throw error instanceof PartialLoadError ? error.cause : error
    }
  }

  /** The value of `key` in either tier, or what `loader` returns, as `Cache.getOrLoad`. */
  getOrLoad(key: string, loader: Loader<string, V>, options?: LoadOptions): Promise<V> {
    try {
      assertLoader(loader)
      const answer = this.#l1.getOrLoadSync(
        key,
        context => this.#load.one(context, loader, this.#plan(options)),
        options,
      )
      if (!isPromiseLike(answer)) return Promise.resolve(answer)
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
    assertLoader(loader)
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
    if (!this.#enabled) return
    const write = {}
    this.#l1.delete(key)
    this.#writes.set(key, write)
    const { staleWhileRevalidate, staleIfError, ttl = Infinity } = this.#defaults
    const retention = Math.max(staleWhileRevalidate, staleIfError)
    let stored = false
    try {
      stored = await this.#store.set(key, value, { ttl, retention, ...options })
    } finally {
      // Readers may have brought back the old value meanwhile, and later writes or invalidations may have come.
      const last = this.#writes.get(key) === write
      if (last) this.#writes.delete(key)
      if (last && stored) {
        const l1Ttl = Math.min(this.#load.l1Ttl, options.ttl ?? ttl)
        this.#l1.set(key, value, { ...options, ttl: l1Ttl })
      } else {
        this.#l1.delete(key)
      }
      await this.#publish([{ verb: 'delete', target: 'key', name: key }])
    }
  }

  /** Removes the value from both tiers. Whether the store had one. */
  delete(key: string): Promise<boolean> {
    return this.#invalidate('delete', 'key', key, () => this.#store.delete(key))
  }

  /** Makes the value stale in both tiers. Whether the store had one. */
  expire(key: string): Promise<boolean> {
    return this.#invalidate('expire', 'key', key, () => this.#store.expire(key))
  }

  /** Removes every value that has the tag, without visiting them. */
  deleteTag(tag: string): Promise<void> {
    return this.#invalidate('delete', 'tag', tag, () => this.#store.deleteTag(tag))
  }

  /** Makes every value that has the tag stale, without visiting them. */
  expireTag(tag: string): Promise<void> {
    return this.#invalidate('expire', 'tag', tag, () => this.#store.expireTag(tag))
  }

  /**
   * Removes every value whose key matches a pattern of `*`, `?` and `\`. O(keys of the store that begin as the pattern
   * does). A load of such a key in another process that began before is caught by the bus, some time after this resolves,
   * as no store knows patterns; tags leave no such gap.
   */
  deleteMatching(pattern: string): Promise<void> {
    return this.#matching('delete', pattern)
  }

  /** Makes every value whose key matches stale. As {@link deleteMatching}. */
  expireMatching(pattern: string): Promise<void> {
    return this.#matching('expire', pattern)
  }

  /** Removes everything from both tiers; with `{ expire: true }` makes it stale. */
  clear({ expire = false }: { expire?: boolean } = {}): Promise<void> {
    const verb = expire ? 'expire' : 'delete'
    return this.#invalidate(verb, 'all', '', () => this.#store.clear({ expire }))
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
      received: this.#received,
      gaps: this.#gaps,
      publishFailures: this.#publishFailures,
    }
  }

  /** Leaves the bus and forgets the first tier. The store and the bus stay open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe?.()
    this.#l1.clear()
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

  /** Before the store, so that nobody starts from the old value; after it, as somebody may have; then the others. */
  async #invalidate<T>(
    verb: Invalidation['verb'],
    target: Invalidation['target'],
    name: string,
    act: () => Promise<T>,
  ): Promise<T> {
    const invalidation = { verb, target, name }
    try {
      this.#apply(invalidation)
    } catch (error) {
      // Of `onRemove`: the store and the other processes must hear of it all the same.
      await this.#tell(invalidation, act)
      throw error
    }
    return this.#tell(invalidation, act)
  }

  /** Tells the store, then the first tier again of what was stored meanwhile, then the other processes. */
  async #tell<T>(invalidation: Invalidation, act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } finally {
      this.#apply(invalidation)
      await this.#publish([invalidation])
    }
  }

  async #matching(verb: Invalidation['verb'], pattern: string): Promise<void> {
    const glob = new Glob(pattern)
    await this.#invalidate(verb, 'pattern', pattern, async () => {
      // First of all to the others, whose loads would else fill the store behind the search.
      await this.#publish([{ verb, target: 'pattern', name: pattern }])
      // What is being loaded here may not be in the store yet: to invalidate it outdates its fence.
      let batch = this.#load.loading(key => glob.test(key))
      for await (const key of this.#store.keys({ prefix: glob.prefix })) {
        if (!glob.test(key)) continue
        if (batch.push(key) < BATCH) continue
        await this.#eliminate(verb, batch)
        batch = []
      }
      await this.#eliminate(verb, batch)
    })
  }

  async #eliminate(verb: Invalidation['verb'], keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return
    if (verb === 'delete') await this.#store.deleteMany(keys)
    else await Promise.all(keys.map(key => this.#store.expire(key)))
  }

  #apply({ verb, target, name }: Invalidation): void {
    const l1 = this.#l1
    switch (target) {
      case 'key':
        this.#writes.delete(name)
        l1[verb](name)
        return
      case 'tag':
        this.#writes.clear()
        if (verb === 'delete') l1.deleteTag(name)
        else l1.expireTag(name)
        return
      case 'pattern':
        this.#writes.clear()
        if (verb === 'delete') l1.deleteMatching(name)
        else l1.expireMatching(name)
        return
      case 'all':
        this.#writes.clear()
        l1.clear({ expire: verb === 'expire' })
    }
  }

  async #publish(invalidations: readonly Invalidation[]): Promise<void> {
    try {
      await this.#bus?.publish(invalidations)
    } catch {
      this.#publishFailures++
    }
  }

  #listener(): BusListener {
    return {
      onInvalidations: invalidations => {
        const errors: unknown[] = []
        for (const invalidation of invalidations) {
          this.#received++
          try {
            this.#apply(invalidation)
          } catch (error) {
            // Of `onRemove`: the other invalidations hold all the same.
            errors.push(error)
          }
          if (invalidation.target === 'pattern') void this.#outdateLoads(invalidation)
        }
        if (errors.length !== 0) throw errors[0]
      },
      onGap: () => {
        this.#gaps++
        this.#writes.clear()
        this.#l1.clear()
      },
    }
  }

  /**
   * No store knows patterns, so the loads of this process that one concerns are invalidated by key; in case one of them was
   * stored and read before that, everybody hears of it once more.
   */
  async #outdateLoads({ verb, name }: Invalidation): Promise<void> {
    const glob = new Glob(name)
    const keys = this.#load.loading(key => glob.test(key))
    if (keys.length === 0) return
    try {
      await this.#eliminate(verb, keys)
    } catch {
      this.#tier.failures++
    }
    await this.#publish(keys.map(key => ({ verb, target: 'key', name: key })))
  }
}
