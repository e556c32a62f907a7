export { type Clock, InvalidOptionError, type Timer } from '@millrace/cache-core'
export type { RedisBusOptions, RedisBusSettings, RedisBusStats } from './bus/redis-bus.ts'
export { RedisBus } from './bus/redis-bus.ts'
export type { CommandMessage } from './connection/channels.ts'
export type { Client } from './connection/client.ts'
export type { BreakerOptions, ConnectionOptions, ConnectionStats } from './connection/connection.ts'
export type { ConnectionTarget } from './connection/target.ts'
export type { UnavailableReason } from './errors.ts'
export { RedisTimeoutError, RedisUnavailableError, ValueTooLargeError } from './errors.ts'
export type { RedisLeaseHold } from './lease/lease-hold.ts'
export type {
  LeaseCallOptions,
  RedisLeaseOptions,
  RedisLeaseSettings,
  RedisLeaseStats,
} from './lease/redis-lease.ts'
export { RedisLease } from './lease/redis-lease.ts'
export type { ShardMark } from './protocol/answer.ts'
export type { RedisFence } from './store/redis-fence.ts'
export { RedisStore } from './store/redis-store.ts'
export type {
  RedisStoreOptions,
  RedisStoreSettings,
  RedisStoreStats,
} from './store/redis-store-options.ts'
export type { ValueOptions } from './store/value-writer.ts'
export {
  RedisTracking,
  type RedisTrackingOptions,
  type RedisTrackingStats,
  type TrackingMode,
} from './tracking/redis-tracking.ts'
