import type { OptionNames, StatsKinds } from '@millrace/kit'
import type { TokenBucketLimits } from '../../meter/token-bucket-limits.ts'
import {
  REDIS_LIMIT_OPTIONS,
  REDIS_LIMIT_STATS_KINDS,
  type RedisLimitOptions,
  type RedisLimitStats,
} from '../limit/redis-limit.ts'

/** Options that all limiters of buckets in Redis have. `rate` and `burst` are those of all processes together. */
export interface SharedBucketsOptions extends RedisLimitOptions, TokenBucketLimits {
  /** The longest a call may wait, in ms, and the timeout of calls that give none. Default: 60,000 */
  readonly maxWait?: number | undefined
}

/** The names of {@link SharedBucketsOptions}. */
export const SHARED_BUCKETS_OPTIONS: OptionNames<SharedBucketsOptions> = {
  ...REDIS_LIMIT_OPTIONS,
  rate: true,
  burst: true,
  maxWait: true,
}

/** Statistics that all of them have. */
export interface SharedBucketsStats extends RedisLimitStats {
  /** Tokens handed out by this process, without those refunded. */
  granted: number
  refused: number
  refunded: number
  waiting: number
  timeouts: number
  aborts: number
}

/** What the numbers of {@link SharedBucketsStats} are: a refund takes back what was granted. */
export const SHARED_BUCKETS_STATS_KINDS: StatsKinds<SharedBucketsStats> = {
  ...REDIS_LIMIT_STATS_KINDS,
  granted: 'gauge',
  refused: 'counter',
  refunded: 'counter',
  waiting: 'gauge',
  timeouts: 'counter',
  aborts: 'counter',
}
