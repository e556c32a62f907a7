import type { Clock } from '@millrace/kit'
import type { Cache } from '../cache/cache.ts'
import type { SetOptions } from '../cache/cache-options.ts'
import { Glob } from '../invalidate/glob.ts'
import type { LoadPlan } from '../load/load-options.ts'
import type { StoreItem } from '../store/contract/store.ts'
import type { BusListener, Invalidation } from './bus/invalidation-bus.ts'
import type { TierLoad } from './load/tier-load.ts'
import { UnsureKeys } from './load/unsure-keys.ts'
import type { Peers } from './recovery/peers.ts'
import { Recovery } from './recovery/recovery.ts'
import type { RecoveryQueue } from './recovery/recovery-queue.ts'
import type { SetCall } from './set-call.ts'
import { applyToKeys, applyToStore } from './store/apply-to-store.ts'
import { answersOf, type BoundedStore, codeOf } from './store/bounded-store.ts'
import { CacheClosedError } from './store/tier-errors.ts'

/** What {@link TierChanges} works on. */
export interface TierChangesOptions<V> {
  readonly l1: Cache<string, V>
  /** ms for which the first tier keeps a value at most. */
  readonly l1Ttl: number
  readonly tier: BoundedStore<V>
  readonly load: TierLoad<V>
  readonly peers: Peers
  readonly clock: Clock
  /** ms for which one call of the store is waited for. */
  readonly timeout: number
  /** Invalidations that the store may not know of yet. */
  readonly missed: RecoveryQueue
  /** ms between attempts to repeat them. */
  readonly retryInterval: number
}

/** How writes and invalidations reach both tiers and the other processes, and theirs this one. */
export class TierChanges<V> {
  readonly #l1: Cache<string, V>
  readonly #l1Ttl: number
  readonly #tier: BoundedStore<V>
  readonly #load: TierLoad<V>
  readonly #peers: Peers
  /** Whether the store publishes what it does. */
  readonly #carried: boolean
  readonly #timeout: number
  readonly #missed: RecoveryQueue
  readonly #unsure: UnsureKeys<V>
  /** For the store, and then once more for the other processes, which may have read it meanwhile. */
  readonly #recovery: Recovery
  /** The last `set` of each key that is on its way to the store. */
  readonly #writes = new Map<string, object>()
  /** What did not end yet. */
  readonly #running = new Set<Promise<unknown>>()
  #closing = false
  received = 0
  gaps = 0

  constructor(options: TierChangesOptions<V>) {
    const { l1, l1Ttl, tier, load, peers, clock, timeout, missed, retryInterval } = options
    this.#l1 = l1
    this.#l1Ttl = l1Ttl
    this.#tier = tier
    this.#load = load
    this.#peers = peers
    this.#carried = peers.carry(tier.store)
    this.#timeout = timeout
    this.#missed = missed
    this.#unsure = new UnsureKeys(l1, load)
    this.#recovery = new Recovery({
      clock,
      queue: missed,
      interval: retryInterval,
      repeat: each => this.#repeat(each),
    })
    peers.listen(this.#listener())
  }

  /** Invalidations that did not reach the store yet. */
  get pending(): number {
    return this.#missed.size
  }

  /** Invalidations that reached it at last. */
  get repeated(): number {
    return this.#recovery.repeated
  }

  /** Lets what runs end, tries once more what is pending, and leaves the bus. */
  async close(): Promise<void> {
    this.#closing = true
    while (this.#running.size !== 0) await Promise.allSettled(this.#running)
    await this.#recovery.close(this.#timeout)
    await this.#peers.close()
  }

  /**
   * Stores values in both tiers and drops them from the first tiers of other processes. The keys that the store keeps. Rejects if the
   * store fails: then what it may still have of the keys is deleted as soon as it answers.
   */
  set(
    values: ReadonlyMap<string, V>,
    options: SetOptions,
    plan: LoadPlan,
    call: SetCall<V>,
  ): Promise<ReadonlySet<string>> {
    return this.#run(() => this.#set(values, options, plan, call))
  }

  async #set(
    values: ReadonlyMap<string, V>,
    options: SetOptions,
    { ttl = Infinity, staleWhileRevalidate, staleIfError }: LoadPlan,
    call: SetCall<V>,
  ): Promise<ReadonlySet<string>> {
    const write = {}
    const keys = [...values.keys()]
    // Else one would be refused for this one, and take it out of the first tier.
    this.#load.writes?.flushFor(keys)
    const gone = keys.map((name): Invalidation => ({ verb: 'delete', target: 'key', name }))
    this.#apply(gone)
    const order = this.#missed.begin(keys)
    for (const key of keys) this.#writes.set(key, write)
    const retention = Math.max(staleWhileRevalidate, staleIfError)
    const { ttl: fresh = ttl, tags } = options
    const stored = new Set<string>()
    let told = false
    try {
      const items = keys.map(
        (key): StoreItem<V> => ({ key, value: values.get(key)!, ttl: fresh, retention, tags }),
      )
      const kept = await this.#tier.call(
        async store => answersOf(items, await call(store, items)),
        // It took effect after all, or not, and after whatever came later; it may have been read from there since.
        () => {
          this.#apply(gone)
          this.#recovery.add(gone)
        },
      )
      for (const [index, { key }] of items.entries()) {
        // A store that says nothing has promised nothing.
        if (kept[index] !== true) continue
        stored.add(key)
        this.#missed.overtake(gone[index]!, order)
      }
      told = this.#carried && stored.size === values.size
    } catch (error) {
      if (mayHaveHappened(error)) {
        this.#recovery.add(gone, mayStillHappen(error) ? undefined : order)
      }
      throw error
    } finally {
      this.#missed.end(keys)
      this.#keep(values, stored, write, { ttl: Math.min(this.#l1Ttl, fresh), tags })
      if (!told) await this.#peers.tell(gone)
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
  invalidate<T>(
    verb: Invalidation['verb'],
    target: Invalidation['target'],
    names: readonly string[],
    act: () => Promise<T>,
  ): Promise<T> {
    return this.#run(() => this.#invalidate(verb, target, names, act))
  }

  async #invalidate<T>(
    verb: Invalidation['verb'],
    target: Invalidation['target'],
    names: readonly string[],
    act: () => Promise<T>,
  ): Promise<T> {
    const invalidations = names.map(name => ({ verb, target, name }))
    const keys = target === 'key' ? names : []
    this.#apply(invalidations)
    // What is stale only is to be there afterwards.
    this.#load.writes?.flush()
    const order = this.#missed.begin(keys)
    let told = false
    try {
      const result = await act()
      // No store knows patterns.
      told = this.#carried && target !== 'pattern'
      for (const invalidation of invalidations) this.#missed.overtake(invalidation, order)
      return result
    } catch (error) {
      this.#recovery.add(invalidations, order)
      throw error
    } finally {
      this.#missed.end(keys)
      this.#apply(invalidations)
      if (!told) await this.#peers.tell(invalidations)
    }
  }

  async matching(verb: Invalidation['verb'], pattern: string): Promise<void> {
    await this.invalidate(verb, 'pattern', [pattern], async () => {
      const invalidation: Invalidation = { verb, target: 'pattern', name: pattern }
      // First of all to the others, whose loads would else fill the store behind the search.
      await this.#peers.tell([invalidation])
      await this.#applyToStore(invalidation)
    })
  }

  /** Tells the store at last, and the others once more, as they may have read from it meanwhile. */
  async #repeat(invalidation: Invalidation): Promise<void> {
    await this.#applyToStore(invalidation)
    await this.#peers.tell([invalidation])
  }

  #applyToStore(invalidation: Invalidation): Promise<void> {
    return applyToStore(this.#tier, invalidation, {
      // What is being loaded here may not be in the store yet: to invalidate it outdates its fence.
      loading: matches => this.#load.loading(matches),
      check: () => {
        if (this.#closing) throw new CacheClosedError()
      },
    })
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

  #listener(): BusListener {
    return {
      onInvalidations: invalidations => {
        this.received += invalidations.length
        this.#apply(invalidations)
        for (const invalidation of invalidations) {
          if (invalidation.target !== 'pattern') continue
          void this.#run(() => this.#outdateLoads(invalidation))
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
   * stored and read before that, all peers hear of it once more.
   */
  async #outdateLoads({ verb, name }: Invalidation): Promise<void> {
    const glob = new Glob(name)
    const keys = this.#load.loading(key => glob.test(key))
    if (keys.length === 0) return
    const concerned = keys.map((key): Invalidation => ({ verb, target: 'key', name: key }))
    const order = this.#missed.begin(keys)
    try {
      await applyToKeys(this.#tier, verb, keys)
    } catch {
      this.#recovery.add(concerned, order)
    } finally {
      this.#missed.end(keys)
    }
    await this.#peers.tell(concerned)
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    const run = work()
    this.#running.add(run)
    try {
      return await run
    } finally {
      this.#running.delete(run)
    }
  }
}

/** Whether a write that failed may be in the store, or may get there, or has left the old value that it was to replace. */
function mayHaveHappened(error: unknown): boolean {
  return codeOf(error) !== 'ERR_MILLRACE_UNENCODABLE_VALUE'
}

/** Whether a write that was given up may still get there, behind writes that began later. */
function mayStillHappen(error: unknown): boolean {
  return codeOf(error) === 'ERR_MILLRACE_STORE_TIMEOUT'
}
