export { Glob } from '../invalidate/glob.ts'
export {
  checkCallOptions,
  checkClearOptions,
  checkItems,
  checkKey,
  checkKeys,
  checkKeysOptions,
  checkSetOptions,
  checkTag,
} from '../store/contract/call-options.ts'
export {
  StoreClosedError,
  StoreUnavailableError,
  UnencodableValueError,
} from '../store/contract/errors.ts'
export type {
  Fence,
  Store,
  StoreCallOptions,
  StoreClearOptions,
  StoreEntry,
  StoreItem,
  StoreKeysOptions,
  StoreLookup,
  StoreSetOptions,
  StoreStats,
} from '../store/contract/store.ts'
export type { Codec } from '../store/format/codec.ts'
export { bytesCodec, jsonCodec, structuredCodec } from '../store/format/codec.ts'
export type { Algorithm, CompressionOptions } from '../store/format/compression.ts'
export { originalKey, storableKey } from '../store/format/storable-key.ts'
export type { PackingOptions } from '../store/format/value-packer.ts'
export { ValuePacker } from '../store/format/value-packer.ts'
export type { LifetimeOptions } from '../store/lifetimes.ts'
export { Lifetimes } from '../store/lifetimes.ts'
export { StoreCounters } from '../store/store-counters.ts'
export { BusListeners } from '../tiered/bus/bus-listeners.ts'
