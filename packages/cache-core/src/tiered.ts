export type { BusListener, Invalidation, InvalidationBus } from './tiered/invalidation-bus.ts'
export { MemoryBus, MemoryChannel } from './tiered/memory-bus.ts'
export { TieredCache } from './tiered/tiered-cache.ts'
export type { TieredCacheOptions, TieredStats } from './tiered/tiered-options.ts'
