import type { OptionNames } from '@millrace/kit'
import type { TokenBucketLimits } from '../../meter/token-bucket-limits.ts'
import { REDIS_LIMIT_OPTIONS, type RedisLimitOptions } from '../limit/redis-limit.ts'

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
