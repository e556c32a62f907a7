import type { Clock } from '@millrace/kit'
import type { Cache } from '../cache/cache.ts'
import type { SetOptions } from '../cache/cache-options.ts'
import { Glob } from '../invalidate/glob.ts'
import type { LoadPlan } from '../load/load-options.ts'
import type { BusListener, Invalidation, InvalidationBus } from './invalidation-bus.ts'
import { Recovery } from './recovery.ts'
import { RecoveryQueue } from './recovery-queue.ts'
import type { SecondTier } from './second-tier.ts'
import type { TierLoad } from './tier-load.ts'
import { UnsureKeys } from './unsure-keys.ts'

/** Keys deleted or expired at a time by a pattern. */
const BATCH = 500

/** What {@link TierChanges} works on. */
export interface TierChangesOptions<V> {
  readonly l1: Cache<string, V>
  /** ms for which the first tier keeps a value at most. */
  readonly l1Ttl: number
  readonly tier: SecondTier<V>
  readonly load: TierLoad<V>
  readonly bus: InvalidationBus | undefined
  readonly clock: Clock
  /** Invalidations that the store may not know of yet. */
  readonly missed: RecoveryQueue
  /** ms between attempts to repeat them. */
  readonly retryInterval: number
}

/** How writes and invalidations reach both tiers and the other processes, and theirs this one. */
export class TierChanges<V> {
  readonly #l1: Cache<string, V>
  readonly #l1Ttl: number
  readonly #tier: SecondTier<V>
  readonly #load: TierLoad<V>
  readonly #bus: InvalidationBus | undefined
  /** Whether the store publishes what it does. */
  readonly #carried: boolean
  readonly #missed: RecoveryQueue
  readonly #unsure: UnsureKeys<V>
  /** For the store, and then once more for the other processes, which may have read it meanwhile. */
  readonly #recovery: Recovery
  /** For the other processes alone. */
  readonly #republish: Recovery
  /** Ends the subscription to the bus. */
  readonly unsubscribe: (() => void) | undefined
  /** The last `set` of each key that is on its way to the store. */
  readonly #writes = new Map<string, object>()
  received = 0
  gaps = 0
  publishFailures = 0

  constructor(options: TierChangesOptions<V>) {
    const { l1, l1Ttl, tier, load, bus, clock, missed, retryInterval: interval } = options
    this.#l1 = l1
    this.#l1Ttl = l1Ttl
    this.#tier = tier
    this.#load = load
    this.#bus = bus
    this.#carried = bus?.carries?.(tier.store) === true
    this.#missed = missed
    this.#unsure = new UnsureKeys(l1, load)
    this.#recovery = new Recovery({
      clock,
      queue: missed,
      interval,
      repeat: each => this.#repeat(each),
    })
    this.#republish = new Recovery({
      clock,
      queue: new RecoveryQueue(),
      interval,
      repeat: each => this.#bus!.publish([each]),
    })
    this.unsubscribe = bus?.subscribe(this.#listener())
  }

  /** Invalidations that did not reach the store yet. */
  get pending(): number {
    return this.#missed.size
  }

  /** Invalidations that reached it at last. */
  get repeated(): number {
    return this.#recovery.repeated
  }

  /** Leaves the bus, after one more attempt to repeat what is pending. */
  async close(): Promise<void> {
    await Promise.all([this.#recovery.close(), this.#republish.close()])
    this.unsubscribe?.()
  }

  /**
   * Stores values in both tiers and drops them from the first tiers of other processes. The keys that the store keeps. Rejects if the
   * store fails: then what it may still have of the keys is deleted as soon as it answers.
   */
  async set(
    values: ReadonlyMap<string, V>,
    options: SetOptions,
    { ttl = Infinity, staleWhileRevalidate, staleIfError }: LoadPlan,
  ): Promise<ReadonlySet<string>> {
    const write = {}
    const gone = Array.from(
      values.keys(),
      (name): Invalidation => ({ verb: 'delete', target: 'key', name }),
    )
    this.#apply(gone)
    for (const key of values.keys()) this.#writes.set(key, write)
    const retention = Math.max(staleWhileRevalidate, staleIfError)
    const how = { ...options, ttl: options.ttl ?? ttl, retention }
    const stored = new Set<string>()
    let told = false
    try {
      const items = Array.from(values, ([key, value]) => ({ ...how, key, value }))
      const [only] = items
      const kept = await this.#tier.call(
        async store =>
          items.length === 1
            ? [await store.set(only!.key, only!.value, how)]
            : await store.setMany(items),
        // It took effect after all, or not, and after whatever came later.
        () => this.#recovery.add(gone),
      )
      for (const [index, { key }] of items.entries()) {
        if (!kept[index]) continue
        stored.add(key)
        this.#missed.removeKey(key)
      }
      told = this.#carried && stored.size === values.size
    } catch (error) {
      if (mayHaveHappened(error)) this.#recovery.add(gone)
      throw error
    } finally {
      this.#keep(values, stored, write, { ...options, ttl: Math.min(this.#l1Ttl, how.ttl) })
      if (!told) await this.#publish(gone)
    }
    return stored
  }

  /** Readers may have brought back the old values meanwhile, and later writes or invalidations may have come. */
  #keep(
    values: ReadonlyMap<string, V>,
    stored: ReadonlySet<string>,
    write: object,
    options: SetOptions,
  ): void {
    for (const [key, value] of values) {
      const last = this.#writes.get(key) === write
      if (last) this.#writes.delete(key)
      if (last && stored.has(key)) this.#l1.set(key, value, options)
      else this.#l1.delete(key)
    }
  }

  /**
   * Before the store, so that no load starts from the old value; after it, as one may have; then the others. Rejects if the store
   * fails: then it is repeated until the store answers, and this process acts as if it had been done.
   */
  async invalidate<T>(
    verb: Invalidation['verb'],
    target: Invalidation['target'],
    names: readonly string[],
    act: () => Promise<T>,
  ): Promise<T> {
    const invalidations = names.map(name => ({ verb, target, name }))
    this.#apply(invalidations)
    let told = false
    try {
      const result = await act()
      // No store knows patterns.
      told = this.#carried && target !== 'pattern'
      if (target === 'all' && verb === 'delete') this.#forgetMissed()
      return result
    } catch (error) {
      this.#recovery.add(invalidations)
      throw error
    } finally {
      this.#apply(invalidations)
      if (!told) await this.#publish(invalidations)
    }
  }

  async matching(verb: Invalidation['verb'], pattern: string): Promise<void> {
    await this.invalidate(verb, 'pattern', [pattern], async () => {
      // First of all to the others, whose loads would else fill the store behind the search.
      await this.#publish([{ verb, target: 'pattern', name: pattern }])
      await this.#eliminateMatching(verb, pattern)
    })
  }

  async #eliminateMatching(verb: Invalidation['verb'], pattern: string): Promise<void> {
    const glob = new Glob(pattern)
    // What is being loaded here may not be in the store yet: to invalidate it outdates its fence.
    let batch = this.#load.loading(key => glob.test(key))
    const { prefix } = glob
    const keys = await this.#tier.call(async store =>
      store.keys({ prefix })[Symbol.asyncIterator](),
    )
    for (;;) {
      const { done, value } = await this.#tier.call(() => keys.next())
      if (done) break
      if (!glob.test(value) || batch.push(value) < BATCH) continue
      await this.#eliminate(verb, batch)
      batch = []
    }
    await this.#eliminate(verb, batch)
  }

  async #eliminate(verb: Invalidation['verb'], keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return
    await this.#tier.call(store =>
      verb === 'delete' ? store.deleteMany(keys) : store.expireMany(keys),
    )
  }

  /** Tells the store at last, and the others once more, as they may have read from it meanwhile. */
  async #repeat(invalidation: Invalidation): Promise<void> {
    const { verb, target, name } = invalidation
    const expire = verb === 'expire'
    if (target === 'pattern') await this.#eliminateMatching(verb, name)
    else if (target === 'key') await this.#eliminate(verb, [name])
    else if (target === 'all') await this.#tier.call(store => store.clear({ expire }))
    else {
      await this.#tier.call(store => (expire ? store.expireTag(name) : store.deleteTag(name)))
    }
    await this.#publish([invalidation])
  }

  /** Everything is gone, and with it whatever there was to repeat. */
  #forgetMissed(): void {
    for (const each of this.#missed.list()) this.#missed.remove(each)
  }

  #apply(invalidations: readonly Invalidation[]): void {
    for (const invalidation of invalidations) this.#applyOne(invalidation)
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
    if (this.#bus === undefined) return
    try {
      await this.#bus.publish(invalidations)
    } catch {
      this.publishFailures++
      this.#republish.add(invalidations)
    }
  }

  #listener(): BusListener {
    return {
      onInvalidations: invalidations => {
        this.received += invalidations.length
        this.#apply(invalidations)
        for (const invalidation of invalidations) {
          if (invalidation.target === 'pattern') void this.#outdateLoads(invalidation)
        }
      },
      onGap: () => {
        this.gaps++
        this.#writes.clear()
        this.#unsure.revalidate()
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
    const concerned = keys.map((key): Invalidation => ({ verb, target: 'key', name: key }))
    try {
      await this.#eliminate(verb, keys)
    } catch {
      this.#tier.failures++
      this.#recovery.add(concerned)
    }
    await this.#publish(concerned)
  }
}

/** Whether a write that failed may be in the store, or may get there, or has left the old value that it was to replace. */
function mayHaveHappened(error: unknown): boolean {
  return (error as { code?: unknown }).code !== 'ERR_MILLRACE_UNENCODABLE_VALUE'
}
