export type {
  SqliteProblem,
  SqliteStoreOptions,
  SqliteStoreStats,
} from './store/sqlite-store.ts'
export { SqliteStore } from './store/sqlite-store.ts'
