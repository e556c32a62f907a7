export type { BusListener, Invalidation, InvalidationBus } from '../tiered/bus/invalidation-bus.ts'
export { MemoryBus, MemoryChannel } from '../tiered/bus/memory-bus.ts'
export type { LayeredStoreOptions, LayeredStoreStats } from '../tiered/layered/layered-options.ts'
export { LayeredStore } from '../tiered/layered/layered-store.ts'
export type { LeaseHold, LoadLease } from '../tiered/load/load-lease.ts'
export type { BreakerOptions } from '../tiered/store/tier-breaker.ts'
export {
  CacheClosedError,
  StoreSuspendedError,
  StoreTimeoutError,
} from '../tiered/store/tier-errors.ts'
export { TieredCache } from '../tiered/tiered-cache.ts'
export type { TieredCacheOptions, TieredStats } from '../tiered/tiered-options.ts'
