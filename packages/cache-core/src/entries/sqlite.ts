export type { SqliteProblem } from '../store/sqlite-backend.ts'
export type { SqliteStoreOptions, SqliteStoreStats } from '../store/sqlite-store.ts'
export { SqliteStore } from '../store/sqlite-store.ts'
