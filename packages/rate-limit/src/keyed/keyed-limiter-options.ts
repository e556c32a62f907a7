import { type Clock, gauges, type OptionNames, type StatsKinds } from '@millrace/kit'
import type { MeteredLimiter } from '../limiter/metered-limiter.ts'
import { RATE_STATS_KINDS, type RateStats } from '../limiter/rate-stats.ts'
import type { TokenBucketLimits } from '../meter/token-bucket-limits.ts'

export interface KeyedLimiterOptions extends TokenBucketLimits {
  /** The most keys with a bucket that is not full. Default: 100,000. Beyond it the fullest of a sample is forgotten */
  readonly maxKeys?: number | undefined
  /** See {@link TokenBucketOptions.catchUp}. Default: 50 ms */
  readonly catchUp?: number | undefined
  /**
   * A limit over all keys together: what passes is taken from both, or from neither. Keys that wait for it have one caller
   * each in its line, so that its `order` shares it among them. Default: none
   */
  readonly parent?: MeteredLimiter | undefined
  /** The most callers that may wait for one key. Default: Infinity */
  readonly maxQueue?: number | undefined
  /** In errors, statistics and diagnostics. Default: `'keyed-limiter'`. Keys appear in none of them */
  readonly name?: string | undefined
  /** Default: that of the parent, else the process' monotonic clock */
  readonly clock?: Clock | undefined
}

/** The names of {@link KeyedLimiterOptions}. */
export const KEYED_LIMITER_OPTIONS: OptionNames<KeyedLimiterOptions> = {
  rate: true,
  burst: true,
  maxKeys: true,
  catchUp: true,
  parent: true,
  maxQueue: true,
  name: true,
  clock: true,
}

/** Those of all keys together. */
export interface KeyedLimiterStats extends RateStats {
  /** Keys in memory. */
  keys: number
  maxKeys: number
  /** Keys forgotten while they still owed tokens, because `maxKeys` were in use. */
  evicted: number
}

/** What the numbers of {@link KeyedLimiterStats} are. */
export const KEYED_LIMITER_STATS_KINDS: StatsKinds<KeyedLimiterStats> = {
  ...RATE_STATS_KINDS,
  ...gauges('keys', 'maxKeys'),
  evicted: 'counter',
}
