export type { MemoryStoreOptions, MemoryStoreStats } from '../store/memory-store.ts'
export { MemoryStore } from '../store/memory-store.ts'
