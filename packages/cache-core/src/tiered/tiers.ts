import { CircuitBreaker, type Clock, monotonicClock } from '@millrace/kit'
import { Cache, internalsOf } from '../cache/cache.ts'
import { type LoadPlan, planLoads } from '../load/load-options.ts'
import { ProtectedCache } from '../protect/protected-cache.ts'
import { guardOf } from '../protect/protection.ts'
import { EntryUses } from './load/entry-uses.ts'
import { TierLoad } from './load/tier-load.ts'
import { Peers } from './recovery/peers.ts'
import { RecoveryQueue } from './recovery/recovery-queue.ts'
import { BoundedStore } from './store/bounded-store.ts'
import { tierBreaker } from './store/tier-breaker.ts'
import { TierChanges } from './tier-changes.ts'
import { TierFinds } from './tier-finds.ts'
import { TierReads } from './tier-reads.ts'
import { checkTieredOptions, type TieredCacheOptions, type TieredStats } from './tiered-options.ts'
import { ClosableClock } from './time/closable-clock.ts'

/** What a `TieredCache` is made of, put together. */
export class Tiers<V> {
  readonly l1: Cache<string, V>
  readonly store: BoundedStore<V>
  readonly load: TierLoad<V>
  readonly reads: TierReads<V>
  readonly finds: TierFinds<V>
  readonly changes: TierChanges<V>
  /** How values are loaded where a call does not say. */
  readonly defaults: LoadPlan
  readonly enabled: boolean
  /** Throws for a value that the first tier cannot keep. */
  readonly check: (key: string, value: V) => void
  readonly #peers: Peers
  readonly #breaker: CircuitBreaker
  /** The clock of the first tier. */
  readonly #timers: ClosableClock

  /** @throws {InvalidOptionError} if an option is outside its bounds or unknown. */
  constructor(options: TieredCacheOptions<V>) {
    const {
      store,
      bus,
      lease,
      l1Ttl = Infinity,
      storeTimeout: timeout = 2_000,
      breaker: given,
      backgroundWrites = false,
      protect,
      ...rest
    } = checkTieredOptions(options)
    const clock: Clock = rest.clock ?? monotonicClock
    const breaker = tierBreaker('breaker', given)
    this.enabled = rest.enabled ?? true
    this.defaults = planLoads(rest)
    this.#timers = new ClosableClock(clock)
    const inMemory = { ...rest, ttl: Math.min(l1Ttl, rest.ttl ?? Infinity), clock: this.#timers }
    this.l1 =
      protect === undefined ? new Cache(inMemory) : new ProtectedCache({ ...inMemory, protect })
    this.#breaker = new CircuitBreaker(clock, breaker)
    const missed = new RecoveryQueue()
    this.store = new BoundedStore({ store, clock, timeout, breaker: this.#breaker, missed })
    const { l1, store: tier, enabled, defaults } = this
    const uses = new EntryUses<V>(l1Ttl)
    const { writer } = internalsOf(l1)
    this.check = (key, value) => {
      if (protect === 'clone') structuredClone(value)
      writer.weigh(key, value)
    }
    // What the second tier returned may still become the value of the first.
    const hand = protect === undefined ? <T>(value: T) => value : guardOf(protect).keep
    // It was overtaken by an invalidation, or cannot be kept: no later caller gets it either.
    const onRefused = backgroundWrites ? (key: string) => void l1.delete(key) : undefined
    this.load = new TierLoad({ tier, lease, uses, onRefused, enabled, check: this.check, hand })
    const guarded = protect !== undefined
    this.reads = new TierReads({ l1, load: this.load, clock, defaults, enabled, guarded })
    this.finds = new TierFinds(l1, this.load)
    this.#peers = new Peers({ bus, clock, timeout, breaker })
    this.changes = new TierChanges({
      l1,
      l1Ttl,
      tier,
      load: this.load,
      peers: this.#peers,
      clock,
      timeout,
      missed,
      retryInterval: breaker.cooldown,
    })
  }

  /** Whether {@link check} lets a value pass. */
  fits(key: string, value: V): boolean {
    try {
      this.check(key, value)
      return true
    } catch {
      return false
    }
  }

  stats(): TieredStats {
    return {
      l1: this.l1.stats(),
      store: this.store.store.stats(),
      storeHits: this.load.hits,
      storeMisses: this.load.misses,
      storeFailures: this.store.failures,
      storeRefusals: this.store.refusals,
      leased: this.load.leased,
      received: this.changes.received,
      gaps: this.changes.gaps,
      publishFailures: this.#peers.failures,
      pending: this.changes.pending,
      repeated: this.changes.repeated,
      breakerOpened: this.#breaker.opened,
    }
  }

  async close(): Promise<void> {
    this.l1.close()
    this.load.close()
    await this.load.writes?.close()
    await this.changes.close()
    await this.store.close()
    this.l1.clear()
    this.#timers.close()
  }
}
