export { LeaseLostError, LimitStoreUnavailableError } from './errors.ts'
export type { RedisSubscriber } from './redis/client/free-channel.ts'
export type { RedisClient } from './redis/client/redis-client.ts'
export type { BreakerOptions, StoreGuardOptions } from './redis/client/store-guard.ts'
export {
  type KeyedOutageMode,
  RedisKeyedLimiter,
  type RedisKeyedLimiterOptions,
  type RedisKeyedLimiterStats,
} from './redis/limiters/redis-keyed-limiter.ts'
export {
  RedisKeyedSemaphore,
  type RedisKeyedSemaphoreOptions,
  type RedisKeyedSemaphoreStats,
} from './redis/limiters/redis-keyed-semaphore.ts'
export {
  RedisKeyedWindow,
  type RedisKeyedWindowOptions,
} from './redis/limiters/redis-keyed-window.ts'
export type { RedisLimitOptions, RedisLimitStats } from './redis/limiters/redis-limit.ts'
export type { RedisPermit } from './redis/limiters/redis-permit.ts'
export {
  RedisSemaphore,
  type RedisSemaphoreOptions,
  type RedisSemaphoreStats,
  type SemaphoreOutageMode,
} from './redis/limiters/redis-semaphore.ts'
export {
  RedisSlidingWindow,
  type RedisSlidingWindowOptions,
  type RedisSlidingWindowStats,
} from './redis/limiters/redis-sliding-window.ts'
export {
  RedisTokenBucket,
  type RedisTokenBucketOptions,
  type RedisTokenBucketStats,
} from './redis/limiters/redis-token-bucket.ts'
export type { SharedBucketsOptions, SharedBucketsStats } from './redis/limiters/shared-buckets.ts'
export type {
  SharedWindowsOptions,
  SharedWindowsStats,
  WindowOutageMode,
} from './redis/limiters/shared-windows.ts'
export type { OutageMode } from './redis/outage/outage-mode.ts'
