export { type Clock, monotonicClock, type Timer, type TimeSource, wallClock } from '@millrace/kit'
export { Cache } from './cache/cache.ts'
export type { CacheLimits, CacheOptions, ClearOptions, SetOptions } from './cache/cache-options.ts'
export type { CacheStats } from './cache/cache-stats.ts'
export type { ExplainedEntry, Explanation } from './cache/explain.ts'
export {
  InvalidOptionError,
  ListenerError,
  LoadResultError,
  LoadTimeoutError,
  PartialLoadError,
  UnencodableArgumentError,
  type UnencodableReason,
  WeigherError,
} from './errors.ts'
export type { RemovalReason } from './kernel/entry.ts'
export type { EvictMessage } from './kernel/evict-channels.ts'
export { type ArgumentsKey, encodeArguments } from './key/encode-arguments.ts'
export type { BatchContext, BatchLoader, BatchResult } from './load/batch-loader.ts'
export type { LoadMessage } from './load/load-channels.ts'
export type { LoadBehavior, LoadOptions } from './load/load-options.ts'
export { type Loaded, type LoadedOptions, loaded } from './load/loaded.ts'
export type { LoadContext, Loader } from './load/loader.ts'
export type { ExplainedLoad } from './load/loads.ts'
export { type CachedWrapper, cached } from './memoize/cached.ts'
export { type AnyFunction, type Memoized, type MemoizeOptions, memoize } from './memoize/memoize.ts'
export { turnClock } from './time/turn-clock.ts'
