export type { MemoryStoreOptions, MemoryStoreStats } from '../store/memory/memory-store.ts'
export { MemoryStore } from '../store/memory/memory-store.ts'
