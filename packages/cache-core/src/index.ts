export { Cache, type CacheStats } from './cache.ts'
export { type Clock, systemClock, type Timer } from './clock.ts'
export {
  InvalidOptionError,
  SnapshotError,
  UnencodableArgumentError,
  type UnencodableReason,
  WeigherError,
} from './errors.ts'
export type { RemovalReason } from './kernel.ts'
export type { CacheOptions, SetOptions } from './options.ts'
export type { PolicyName } from './policy/policy.ts'
