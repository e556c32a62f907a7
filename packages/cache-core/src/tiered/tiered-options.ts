import type { CacheOptions } from '../cache/cache-options.ts'
import type { CacheStats } from '../cache/cache-stats.ts'
import type { Store, StoreStats } from '../store/contract/store.ts'
import type { InvalidationBus } from './invalidation-bus.ts'
import type { LoadLease } from './load-lease.ts'

/** Options of a `TieredCache`: those of its first tier, a `Cache`, and what it is put over. */
export interface TieredCacheOptions<V> extends CacheOptions<string, V> {
  /** The second tier. The caller made it and closes it. */
  readonly store: Store<V>
  /** Tells the first tiers of other processes what changed. The caller closes it. Default: none, see `l1Ttl`. */
  readonly bus?: InvalidationBus
  /** Lets one process of many call the loader of `getOrLoad`. The caller closes it. Default: each process loads for itself. */
  readonly lease?: LoadLease
  /**
   * ms for which the first tier keeps a value at most, > 0. Without a bus that is how long this process may serve what
   * another one has changed. Default: as long as the second tier does.
   */
  readonly l1Ttl?: number
  /** ms the second tier may take for one read or write of a load; it then goes on without. > 0. Default 2,000. */
  readonly storeDeadline?: number
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
  /** Operations of the second tier that failed or passed their deadline. */
  readonly storeFailures: number
  /** Loaded values the second tier refused, as they were invalidated meanwhile. */
  readonly storeRefusals: number
  /** Loads that another process made meanwhile, whose value was taken from the second tier. */
  readonly leased: number
  /** Invalidations received from other processes. */
  readonly received: number
  /** Times the first tier was dropped as invalidations may have been lost. */
  readonly gaps: number
  /** Invalidations that could not be published. */
  readonly publishFailures: number
}
