import type { Cache } from '../cache/cache.ts'
import type { SetOptions } from '../cache/cache-options.ts'
import { Glob } from '../invalidate/glob.ts'
import type { LoadPlan } from '../load/load-options.ts'
import type { BusListener, Invalidation, InvalidationBus } from './invalidation-bus.ts'
import type { SecondTier } from './second-tier.ts'
import type { TierLoad } from './tier-load.ts'

/** Keys deleted or expired at a time by a pattern. */
const BATCH = 500

/** How writes and invalidations reach both tiers and the other processes, and theirs this one. */
export class TierChanges<V> {
  readonly #l1: Cache<string, V>
  /** ms for which the first tier keeps a value at most. */
  readonly #l1Ttl: number
  readonly #tier: SecondTier<V>
  readonly #load: TierLoad<V>
  readonly #bus: InvalidationBus | undefined
  /** Whether the store publishes what it does. */
  readonly #carried: boolean
  /** Ends the subscription to the bus. */
  readonly unsubscribe: (() => void) | undefined
  /** The last `set` of each key that is on its way to the store. */
  readonly #writes = new Map<string, object>()
  received = 0
  gaps = 0
  publishFailures = 0

  constructor(
    l1: Cache<string, V>,
    l1Ttl: number,
    tier: SecondTier<V>,
    load: TierLoad<V>,
    bus: InvalidationBus | undefined,
  ) {
    this.#l1 = l1
    this.#l1Ttl = l1Ttl
    this.#tier = tier
    this.#load = load
    this.#bus = bus
    this.#carried = bus?.carries?.(tier.store) === true
    this.unsubscribe = bus?.subscribe(this.#listener())
  }

  /** Stores values in both tiers and drops them from the first tiers of other processes. Rejects if the store fails. */
  async set(
    values: ReadonlyMap<string, V>,
    options: SetOptions,
    { ttl = Infinity, staleWhileRevalidate, staleIfError }: LoadPlan,
  ): Promise<void> {
    const { store } = this.#tier
    const write = {}
    const gone = Array.from(
      values.keys(),
      (name): Invalidation => ({
        verb: 'delete',
        target: 'key',
        name,
      }),
    )
    this.#apply(gone)
    for (const key of values.keys()) this.#writes.set(key, write)
    const retention = Math.max(staleWhileRevalidate, staleIfError)
    const how = { ...options, ttl: options.ttl ?? ttl, retention }
    const stored = new Set<string>()
    let told = false
    try {
      const items = Array.from(values, ([key, value]) => ({ ...how, key, value }))
      const kept =
        items.length === 1
          ? [await store.set(items[0]!.key, items[0]!.value, how)]
          : await store.setMany(items)
      for (const [index, { key }] of items.entries()) if (kept[index]) stored.add(key)
      told = this.#carried && stored.size === values.size
    } finally {
      try {
        this.#keep(values, stored, write, { ...options, ttl: Math.min(this.#l1Ttl, how.ttl) })
      } finally {
        if (!told) await this.#publish(gone)
      }
    }
  }

  /** Readers may have brought back the old values meanwhile, and later writes or invalidations may have come. */
  #keep(
    values: ReadonlyMap<string, V>,
    stored: ReadonlySet<string>,
    write: object,
    options: SetOptions,
  ): void {
    const errors: unknown[] = []
    for (const [key, value] of values) {
      const last = this.#writes.get(key) === write
      if (last) this.#writes.delete(key)
      try {
        if (last && stored.has(key)) this.#l1.set(key, value, options)
        else this.#l1.delete(key)
      } catch (error) {
        // Of `onRemove`: the other values are kept all the same.
        errors.push(error)
      }
    }
    if (errors.length !== 0) throw errors[0]
  }

  /** Before the store, so that nobody starts from the old value; after it, as somebody may have; then the others. */
  async invalidate<T>(
    verb: Invalidation['verb'],
    target: Invalidation['target'],
    names: readonly string[],
    act: () => Promise<T>,
  ): Promise<T> {
    const invalidations = names.map(name => ({ verb, target, name }))
    try {
      this.#apply(invalidations)
    } catch (error) {
      // Of `onRemove`: the store and the other processes must hear of it all the same.
      await this.#tell(invalidations, act)
      throw error
    }
    return this.#tell(invalidations, act)
  }

  /** Tells the store, then the first tier again of what was stored meanwhile, then the other processes. */
  async #tell<T>(invalidations: readonly Invalidation[], act: () => Promise<T>): Promise<T> {
    let told = false
    try {
      const result = await act()
      // No store knows patterns.
      told = this.#carried && invalidations[0]?.target !== 'pattern'
      return result
    } finally {
      try {
        this.#apply(invalidations)
      } finally {
        if (!told) await this.#publish(invalidations)
      }
    }
  }

  async matching(verb: Invalidation['verb'], pattern: string): Promise<void> {
    const glob = new Glob(pattern)
    await this.invalidate(verb, 'pattern', [pattern], async () => {
      // First of all to the others, whose loads would else fill the store behind the search.
      await this.#publish([{ verb, target: 'pattern', name: pattern }])
      // What is being loaded here may not be in the store yet: to invalidate it outdates its fence.
      let batch = this.#load.loading(key => glob.test(key))
      for await (const key of this.#tier.store.keys({ prefix: glob.prefix })) {
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
    if (verb === 'delete') await this.#tier.store.deleteMany(keys)
    else await Promise.all(keys.map(key => this.#tier.store.expire(key)))
  }

  #apply(invalidations: readonly Invalidation[]): void {
    const errors: unknown[] = []
    for (const invalidation of invalidations) {
      try {
        this.#applyOne(invalidation)
      } catch (error) {
        // Of `onRemove`: the other invalidations hold all the same.
        errors.push(error)
      }
    }
    if (errors.length !== 0) throw errors[0]
  }

  #applyOne({ verb, target, name }: Invalidation): void {
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
      this.publishFailures++
    }
  }

  #listener(): BusListener {
    return {
      onInvalidations: invalidations => {
        this.received += invalidations.length
        try {
          this.#apply(invalidations)
        } finally {
          for (const invalidation of invalidations) {
            if (invalidation.target === 'pattern') void this.#outdateLoads(invalidation)
          }
        }
      },
      onGap: () => {
        this.gaps++
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
