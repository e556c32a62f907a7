export { KeyvAdapter, type KeyvAdapterOptions } from '../keyv/keyv-adapter.ts'
export type { KeyvStorage } from '../keyv/keyv-storage.ts'
export { KeyvStore, type KeyvStoreOptions } from '../keyv/keyv-store.ts'
