export { LeaseLostError, StoreUnavailableError } from './errors.ts'
export type { RedisSubscriber } from './redis/free-channel.ts'
export type { OutageMode } from './redis/outage/outage-mode.ts'
export type { RedisClient } from './redis/redis-client.ts'
export {
  RedisKeyedLimiter,
  type RedisKeyedLimiterOptions,
  type RedisKeyedLimiterStats,
} from './redis/redis-keyed-limiter.ts'
export type { RedisPermit } from './redis/redis-permit.ts'
export {
  RedisSemaphore,
  type RedisSemaphoreOptions,
  type RedisSemaphoreStats,
} from './redis/redis-semaphore.ts'
export {
  RedisSlidingWindow,
  type RedisSlidingWindowOptions,
  type RedisSlidingWindowStats,
} from './redis/redis-sliding-window.ts'
export {
  RedisTokenBucket,
  type RedisTokenBucketOptions,
  type RedisTokenBucketStats,
} from './redis/redis-token-bucket.ts'
export type { StoreGuardOptions } from './redis/store-guard.ts'
