import type { StoreStats } from '@millrace/cache-core/store'
import {
  CONNECTION_OPTIONS,
  type ConnectionOptions,
  type ConnectionStats,
} from '../connection/connection.ts'
import type { ConnectionTarget, TargetedNames } from '../connection/target.ts'
import type { ValueOptions } from './value-writer.ts'

/** Options of a `RedisStore`, besides where Redis is. */
export interface RedisStoreSettings<V> extends ValueOptions<V>, ConnectionOptions {
  /**
   * Beginning of all its keys and of its channel in Redis, a string without braces. Stores with different prefixes do not see each
   * other. Default: `millrace:cache`
   */
  readonly prefix?: string | undefined
  /**
   * Whether names in Redis contain SHA-256 of keys instead of keys: for keys that are long or secret. Messages to other processes
   * contain the keys themselves in any case. `keys` and patterns then read every value. Default: false
   */
  readonly hashKeys?: boolean | undefined
  /** Failed invalidations remembered by name, a positive integer; more become one that deletes everything. Default: 10,000 */
  readonly maxRecovery?: number | undefined
}

/** Options of a `RedisStore`. */
export type RedisStoreOptions<V> = RedisStoreSettings<V> & ConnectionTarget

/** Counters of a `RedisStore`. */
export interface RedisStoreStats extends StoreStats, ConnectionStats {
  /** Keys of another type than ours under names of ours. Each counts as a miss, or a refused write, too. */
  readonly foreign: number
  /** Failed invalidations that wait to be repeated. */
  readonly recovering: number
  /** Failed invalidations that were repeated with success. */
  readonly recovered: number
}

/** Names of all options. */
export const STORE_OPTIONS: TargetedNames<RedisStoreSettings<unknown>> = {
  ...CONNECTION_OPTIONS,
  prefix: true,
  hashKeys: true,
  maxRecovery: true,
  ttl: true,
  retention: true,
  codec: true,
  compression: true,
  maxValueBytes: true,
}
