export { Cache } from './cache/cache.ts'
export type { CacheOptions, SetOptions } from './cache/cache-options.ts'
export type { CacheStats } from './cache/cache-stats.ts'
export type { Explanation } from './cache/explain.ts'
export {
  InvalidOptionError,
  LoadResultError,
  LoadTimeoutError,
  PartialLoadError,
  UnencodableArgumentError,
  type UnencodableReason,
  WeigherError,
} from './errors.ts'
export type { EvictMessage } from './kernel/evict-channels.ts'
export type { RemovalReason } from './kernel/kernel.ts'
export { encodeArguments } from './key/encode-arguments.ts'
export type { LoadContext } from './load/flight.ts'
export type { LoadMessage } from './load/load-channels.ts'
export type { BatchContext, BatchLoader, BatchResult } from './load/load-many.ts'
export type { LoadBehavior, LoadOptions } from './load/load-options.ts'
export { type Loaded, type LoadedOptions, loaded } from './load/loaded.ts'
export type { Loader } from './load/loads.ts'
export { cached } from './memoize/cached.ts'
export { type Memoized, type MemoizeOptions, memoize } from './memoize/memoize.ts'
export { type Clock, systemClock, type Timer, turnClock } from './time/turn-clock.ts'
