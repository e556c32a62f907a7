export { SnapshotError } from '../errors.ts'
export type { CacheSnapshot, SnapshotEntry } from '../snapshot/cache-snapshot.ts'
export { dump } from '../snapshot/dump.ts'
export { load } from '../snapshot/load.ts'
