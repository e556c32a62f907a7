import { type Clock, type OptionNames, type StatsKinds, statsKindsOf } from '@millrace/kit'
import { STORE_STATS_KINDS, type Store, type StoreStats } from '../../store/contract/store.ts'
import type { InvalidationBus } from '../bus/invalidation-bus.ts'
import type { BreakerOptions } from '../store/tier-breaker.ts'

/** Options of a `LayeredStore`. */
export interface LayeredStoreOptions<V> {
  /** Asked first: quick, and of this process or machine. The caller made it and closes it. */
  readonly near: Store<V>
  /** Asked for what `near` lacks, and the one that says what is valid: shared by all machines. The caller made it and closes it. */
  readonly far: Store<V>
  /**
   * Tells `near` what other machines changed in `far`: one more connection to the bus of the caches above. Default: none, then `near`
   * may have an old value until `nearTtl` has passed.
   */
  readonly bus?: InvalidationBus | undefined
  /** ms for which `near` keeps a value at most, above 0. Default: as long as `far` does. */
  readonly nearTtl?: number | undefined
  /** ms for which one call of `near` is waited for, above 0 and finite. Default: 250. */
  readonly nearTimeout?: number | undefined
  /** ms for which one call of `far` is waited for, above 0 and finite. Default: 1,000. */
  readonly farTimeout?: number | undefined
  /** When one of the two that fails is left alone, each by itself; `false`: never. Default: 5 failures, 1,000 ms. */
  readonly breaker?: boolean | BreakerOptions | undefined
  /** Source of time for time-outs. Default: `monotonicClock`. */
  readonly clock?: Clock | undefined
}

/** Counters of a `LayeredStore`. */
export interface LayeredStoreStats extends StoreStats {
  readonly near: StoreStats
  readonly far: StoreStats
  /** Calls that failed or passed their time-out. */
  readonly nearFailures: number
  readonly farFailures: number
  /** Invalidations that `near` does not know of yet, and writes that reached `far` too late and are to be removed. */
  readonly pending: number
}

export const LAYERED_OPTIONS: OptionNames<LayeredStoreOptions<unknown>> = {
  near: true,
  far: true,
  bus: true,
  nearTtl: true,
  nearTimeout: true,
  farTimeout: true,
  breaker: true,
  clock: true,
}
/** What a store must have to be one of the two. */
export const STORE_METHODS = [
  'fence',
  'get',
  'getMany',
  'lookup',
  'set',
  'setMany',
  'delete',
  'keys',
] as const

export const LAYERED_STATS_KINDS: StatsKinds<LayeredStoreStats> = {
  ...STORE_STATS_KINDS,
  near: STORE_STATS_KINDS,
  far: STORE_STATS_KINDS,
  nearFailures: 'counter',
  farFailures: 'counter',
  pending: 'gauge',
}

/** The kinds of what is counted over two stores, which may count more than every store does. */
export function layeredStatsKinds(
  near: Store<unknown>,
  far: Store<unknown>,
): StatsKinds<LayeredStoreStats> {
  return { ...LAYERED_STATS_KINDS, near: kindsOf(near), far: kindsOf(far) }
}

function kindsOf(store: Store<unknown>): StatsKinds<StoreStats> {
  return (statsKindsOf(store) as StatsKinds<StoreStats> | undefined) ?? STORE_STATS_KINDS
}
