import type { Clock } from '@millrace/kit'
import type { CreateInsight } from '../advise/insight.ts'
import type { RemovalReason } from '../kernel/entry.ts'
import type { LoadBehavior } from '../load/load-options.ts'
import type { CreatePolicy } from '../policy/policies.ts'
import type { MemoryPressureFactory } from '../size/memory-pressure.ts'

/**
 * Options of a {@link Cache}. Everything has a default; what is not given is not limited unless
 * said otherwise.
 */
export interface CacheOptions<K, V> extends LoadBehavior {
  /** Entries held at most: 1 to 16,777,216. Default: 256 if `maxBytes` is not given either, else no limit */
  readonly maxEntries?: number | undefined
  /**
   * Total weight of all entries at most, in the unit of `weigher`. Needs one. Default: Infinity
   */
  readonly maxBytes?: number | undefined
  /**
   * Weight of an entry, a finite number >= 0, asked once when it is stored. An entry heavier than
   * `maxBytes` is refused and counted. Weight 0 pins: the entry is never evicted to make room. Default: 1 for each entry
   */
  readonly weigher?: ((value: V, key: K) => number) | undefined
  /** ms after which an entry expires, > 0. Default: Infinity, never */
  readonly ttl?: number | undefined
  /**
   * ms after its last read or write at which an entry expires even if its `ttl` has not passed, >
   * 0. It is gone then, and not served stale either. Default: Infinity
   */
  readonly idleTtl?: number | undefined
  /**
   * Fraction of its `ttl` by which each entry may expire earlier, at random, so that entries made
   * together do not expire together: 0 to 1. Default: 0
   */
  readonly ttlJitter?: number | undefined
  /**
   * ms between removals of expired entries in the background, > 0. Default: Infinity, they go when
   * read or when room is needed
   */
  readonly sweepInterval?: number | undefined
  /**
   * What decides which entry makes room: a policy of `@millrace/cache-core/policies`. Default: `adaptive`
   */
  readonly policy?: CreatePolicy | undefined
  /**
   * `false` turns the cache into a pass-through that stores nothing, for debugging. Default: true
   */
  readonly enabled?: boolean | undefined
  /**
   * Called with every value that leaves, after the cache is consistent again. An error it throws ends nothing: it is the `cause`
   * of a `ListenerError` that is emitted as a `warning` of the process. Default: none
   */
  readonly onRemove?: ((key: K, value: V, reason: RemovalReason) => void) | undefined
  /**
   * Gives way when memory gets scarce: `memoryPressure()` of `@millrace/cache-core/size`. Default: none
   */
  readonly memoryPressure?: MemoryPressureFactory | undefined
  /**
   * For `advise()`, and for the reasons that `explain()` gives: `insight()` of
   * `@millrace/cache-core/insight`. Default: none
   */
  readonly insight?: CreateInsight | undefined
  /**
   * Source of time, which should never step back. Default: `monotonicClock`, read anew each time. `turnClock` costs less and may be
   * behind by the length of one run of synchronous code
   */
  readonly clock?: Clock | undefined
}

/** Options of one `set`. Those not given are taken from the cache. */
export interface SetOptions {
  /** ms after which the value expires, > 0. Default: that of the cache */
  readonly ttl?: number | undefined
  /** Tags of the value, for `deleteTag` and `expireTag`. Default: none */
  readonly tags?: readonly string[] | undefined
}

/** Options of a `clear`. */
export interface ClearOptions {
  /** `true` ends the freshness of the entries instead of removing them. Default: false */
  readonly expire?: boolean | undefined
}

/** What `resize` changes. */
export interface CacheLimits {
  /** As the option of the cache. Default: stays */
  readonly maxEntries?: number | undefined
  /** As the option of the cache. Default: stays */
  readonly maxBytes?: number | undefined
}
