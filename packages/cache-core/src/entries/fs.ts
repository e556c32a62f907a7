export type { FsStoreOptions } from '../store/fs/fs-store.ts'
export { FsStore } from '../store/fs/fs-store.ts'
