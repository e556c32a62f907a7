export type { SqliteProblem } from '../store/sqlite/sqlite-handle.ts'
export type { SqliteStoreOptions, SqliteStoreStats } from '../store/sqlite/sqlite-store.ts'
export { SqliteStore } from '../store/sqlite/sqlite-store.ts'
