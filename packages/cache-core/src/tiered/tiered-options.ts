import {
  checkBoolean,
  checkClock,
  checkMethods,
  checkOptions,
  checkPositive,
  checkPositiveOrInfinity,
  type OptionNames,
  type StatsKinds,
} from '@millrace/kit'
import type { CacheOptions } from '../cache/cache-options.ts'
import { CACHE_STATS_KINDS, type CacheStats } from '../cache/cache-stats.ts'
import { CACHE_CHECKS } from '../cache/settings.ts'
import type { Protection } from '../protect/protection.ts'
import { STORE_STATS_KINDS, type Store, type StoreStats } from '../store/contract/store.ts'
import type { InvalidationBus } from './bus/invalidation-bus.ts'
import type { LoadLease } from './load/load-lease.ts'
import type { BreakerOptions } from './store/tier-breaker.ts'

/** Options of a `TieredCache`: those of its first tier, a `Cache`, and what it is put over. */
export interface TieredCacheOptions<V> extends CacheOptions<string, V> {
  /** The second tier. The caller made it and closes it. */
  readonly store: Store<V>
  /** Tells the first tiers of other processes what changed. The caller closes it. Default: none, see `l1Ttl`. */
  readonly bus?: InvalidationBus | undefined
  /** Lets one process of many call the loader of `getOrLoad`. The caller closes it. Default: each process loads for itself. */
  readonly lease?: LoadLease | undefined
  /**
   * ms for which the first tier keeps a value at most, > 0. Without a bus that is how long this process may serve what
   * another one has changed. Default: as long as the second tier does.
   */
  readonly l1Ttl?: number | undefined
  /**
   * ms for which the answer of the second tier, or of the bus, to any one call is waited for, above 0 and finite. Loads then go on without it; writes
   * and invalidations reject with `StoreTimeoutError` where the store is late. A search for a pattern, which is many calls, may take ten
   * times as long. Default: 2,000.
   */
  readonly storeTimeout?: number | undefined
  /**
   * When a second tier that fails is left alone; `false`: never. While it is, loads go on without it, and writes and invalidations reject
   * with `StoreSuspendedError`. Default: 5 failures, 1,000 ms.
   */
  readonly breaker?: boolean | BreakerOptions | undefined
  /**
   * Whether those who wait for a load get its value before it is in the second tier, to which those of one turn of the event loop are
   * written by one call. Until then another process loads for itself, and this one may serve from its first tier what another one
   * invalidated during the load; a process that is killed loses up to 1,024 such values, `close()` none. Where there is a
   * `lease`, loads of one key wait all the same. Default: false.
   */
  readonly backgroundWrites?: boolean | undefined
  /** For development and tests: protects what is handed out as `ProtectedCache` of `/protect` does. Default: not, as it costs time. */
  readonly protect?: Protection | undefined
}

/** Counters of a `TieredCache`. */
export interface TieredStats {
  /** Of the first tier. */
  readonly l1: CacheStats
  /** Of the second tier, in this process. */
  readonly store: StoreStats
  /** Values the first tier lacked and the second one had fresh. */
  readonly storeHits: number
  /** Values that neither had fresh. */
  readonly storeMisses: number
  /** Calls of the second tier, reads and writes alike, that failed or passed their time-out. */
  readonly storeFailures: number
  /** Loaded values the second tier refused, as they were invalidated meanwhile. */
  readonly storeRefusals: number
  /** Loads that another process made meanwhile, whose value was taken from the second tier. */
  readonly leased: number
  /** Invalidations received from other processes. */
  readonly received: number
  /** Times the first tier was dropped as invalidations may have been lost. */
  readonly gaps: number
  /** Invalidations that could not be published. They are repeated. */
  readonly publishFailures: number
  /** Invalidations that the second tier does not know of yet. */
  readonly pending: number
  /** Those that it was told at last. */
  readonly repeated: number
  /** Times the second tier was left alone as it failed too often. */
  readonly breakerOpened: number
}

/** What the numbers of {@link TieredStats} are, whatever the store. */
export const TIERED_STATS_KINDS: StatsKinds<TieredStats> = {
  l1: CACHE_STATS_KINDS,
  store: STORE_STATS_KINDS,
  storeHits: 'counter',
  storeMisses: 'counter',
  storeFailures: 'counter',
  storeRefusals: 'counter',
  leased: 'counter',
  received: 'counter',
  gaps: 'counter',
  publishFailures: 'counter',
  pending: 'gauge',
  repeated: 'counter',
  breakerOpened: 'counter',
}

const STORE_METHODS = ['fence', 'get', 'getMany', 'lookup', 'set', 'setMany', 'delete'] as const

const NAMES: OptionNames<TieredCacheOptions<unknown>> = {
  ...CACHE_CHECKS,
  store: true,
  bus: true,
  lease: true,
  l1Ttl: true,
  storeTimeout: true,
  breaker: true,
  backgroundWrites: true,
  protect: true,
}

/**
 * The options of the second tier, checked; those of the first are for the `Cache` to check.
 *
 * @throws {InvalidOptionError} if an option is outside its bounds or unknown
 */
export function checkTieredOptions<V>(options: TieredCacheOptions<V>): TieredCacheOptions<V> {
  const {
    store,
    bus,
    lease,
    l1Ttl = Infinity,
    storeTimeout = 2_000,
    backgroundWrites = false,
    clock,
  } = checkOptions<TieredCacheOptions<V>>('', options, NAMES)
  checkMethods('store', store, 'a Store', STORE_METHODS)
  if (bus !== undefined) checkMethods('bus', bus, 'an InvalidationBus', ['publish', 'subscribe'])
  if (lease !== undefined) checkMethods('lease', lease, 'a LoadLease', ['acquire'])
  checkPositiveOrInfinity('l1Ttl', l1Ttl)
  checkPositive('storeTimeout', storeTimeout)
  checkBoolean('backgroundWrites', backgroundWrites)
  // The `Cache` gets one made of it.
  if (clock !== undefined) checkClock('clock', clock)
  return options
}
