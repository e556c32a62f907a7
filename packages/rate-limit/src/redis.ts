export { LeaseLostError, LimitStoreUnavailableError } from './errors.ts'
export type { SharedBucketsOptions } from './redis/buckets/bucket-options.ts'
export {
  type KeyedOutageMode,
  RedisKeyedLimiter,
  type RedisKeyedLimiterOptions,
} from './redis/buckets/redis-keyed-limiter.ts'
export {
  RedisTokenBucket,
  type RedisTokenBucketOptions,
  type RedisTokenBucketStats,
} from './redis/buckets/redis-token-bucket.ts'
export type { RedisSubscriber } from './redis/client/free-channel.ts'
export type { RedisClient } from './redis/client/redis-client.ts'
export type { BreakerOptions, StoreGuardOptions } from './redis/client/store-guard.ts'
export type { RedisKeyedRate } from './redis/limit/redis-keyed-rate.ts'
export type { RedisLimitOptions, RedisLimitStats } from './redis/limit/redis-limit.ts'
export type { RedisRate } from './redis/limit/redis-rate.ts'
export type { RedisRateStats } from './redis/limit/shared-rate.ts'
export type { OutageMode } from './redis/outage/outage-mode.ts'
export {
  RedisKeyedSemaphore,
  type RedisKeyedSemaphoreOptions,
  type RedisKeyedSemaphoreStats,
} from './redis/semaphores/redis-keyed-semaphore.ts'
export type { RedisPermit } from './redis/semaphores/redis-permit.ts'
export { RedisSemaphore } from './redis/semaphores/redis-semaphore.ts'
export type {
  RedisSemaphoreOptions,
  RedisSemaphoreStats,
  SemaphoreOutageMode,
} from './redis/semaphores/semaphore-options.ts'
export {
  RedisKeyedWindow,
  type RedisKeyedWindowOptions,
} from './redis/windows/redis-keyed-window.ts'
export {
  RedisSlidingWindow,
  type RedisSlidingWindowOptions,
} from './redis/windows/redis-sliding-window.ts'
export type { SharedWindowsOptions, WindowOutageMode } from './redis/windows/window-options.ts'
