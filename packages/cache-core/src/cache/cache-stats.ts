import type { StatsKinds } from '@millrace/kit'
import type { RemovalReason } from '../kernel/entry.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Loads } from '../load/loads.ts'

/** Counters of a cache since its creation or the last `resetStats`. */
export interface CacheStats {
  /** Reads that found a valid entry. */
  readonly hits: number
  /** Reads that did not. */
  readonly misses: number
  /** hits / (hits + misses); 0 before the first read. */
  readonly hitRate: number
  /** Entries now, expired ones that were not yet removed included. */
  readonly entries: number
  /** Total weight now; 0 without a weigher. */
  readonly bytes: number
  /** New keys stored. */
  readonly insertions: number
  /** Values not stored because they are heavier than the cache or admission was stopped. */
  readonly refusals: number
  /** Removals by reason. */
  readonly removals: Readonly<Record<RemovalReason, number>>
  /** Keys being loaded now. */
  readonly loading: number
  /** Calls of loaders that succeeded. */
  readonly loads: number
  /** Calls of loaders that failed or passed their deadline. */
  readonly loadFailures: number
  /** ms spent in calls of loaders. */
  readonly loadTime: number
  /** Loaded values not stored because the key was invalidated or set meanwhile. */
  readonly loadsDiscarded: number
  /** Expired values served by `staleWhileRevalidate` or `staleIfError`. */
  readonly staleServed: number
}

/** What the numbers of {@link CacheStats} are. */
export const CACHE_STATS_KINDS: StatsKinds<CacheStats> = {
  hits: 'counter',
  misses: 'counter',
  hitRate: 'gauge',
  entries: 'gauge',
  bytes: 'gauge',
  insertions: 'counter',
  refusals: 'counter',
  removals: 'counter',
  loading: 'gauge',
  loads: 'counter',
  loadFailures: 'counter',
  loadTime: 'milliseconds',
  loadsDiscarded: 'counter',
  staleServed: 'counter',
}

/** The counters of the entries and of the loads of one cache, as one object. */
export function statsOf<K, V>(kernel: Kernel<K, V>, loads: Loads<K, V>): CacheStats {
  const { hits, misses } = kernel
  return {
    hits,
    misses,
    hitRate: hits === 0 ? 0 : hits / (hits + misses),
    entries: kernel.size,
    bytes: kernel.weight,
    insertions: kernel.insertions,
    refusals: kernel.refusals,
    removals: kernel.removed,
    loading: loads.inFlight,
    loads: loads.loads,
    loadFailures: loads.failures,
    loadTime: loads.time,
    loadsDiscarded: loads.discarded,
    staleServed: loads.staleServed,
  }
}
