export type { FsStoreOptions } from '../store/fs-store.ts'
export { FsStore } from '../store/fs-store.ts'
