export { type Clock, InvalidOptionError, type Timer } from '@millrace/cache-core'
export type { RedisBusOptions, RedisBusSettings, RedisBusStats } from './bus/redis-bus.ts'
export { RedisBus } from './bus/redis-bus.ts'
export type { CommandMessage } from './connection/channels.ts'
export type { BreakerOptions } from './connection/circuit-breaker.ts'
export type { Client } from './connection/client.ts'
export type {
  ConnectionOptions,
  ConnectionStats,
  ConnectionTarget,
} from './connection/connection.ts'
export type { UnavailableReason } from './errors.ts'
export { RedisTimeoutError, RedisUnavailableError } from './errors.ts'
export type { RedisLeaseOptions, RedisLeaseSettings, RedisLeaseStats } from './lease/redis-lease.ts'
export { RedisLease } from './lease/redis-lease.ts'
export type { RedisStoreOptions, RedisStoreSettings, RedisStoreStats } from './store/redis-store.ts'
export { RedisStore } from './store/redis-store.ts'
