export type { Codec } from '../store/codec.ts'
export { bytesCodec, jsonCodec, structuredCodec } from '../store/codec.ts'
export type { Algorithm, CompressionOptions } from '../store/compression.ts'
export type { Envelope } from '../store/envelope.ts'
export { decodeEnvelope, EXPIRES_OFFSET, encodeEnvelope } from '../store/envelope.ts'
export { StoreClosedError, StoreUnavailableError } from '../store/errors.ts'
export type { LifetimeOptions } from '../store/lifetimes.ts'
export { Lifetimes } from '../store/lifetimes.ts'
export { originalKey, storableKey } from '../store/storable-key.ts'
export type {
  Fence,
  Store,
  StoreCallOptions,
  StoreEntry,
  StoreItem,
  StoreSetOptions,
  StoreStats,
} from '../store/store.ts'
export { StoreCounters } from '../store/store-counters.ts'
export type { PackingOptions } from '../store/value-packer.ts'
export { ValuePacker } from '../store/value-packer.ts'
