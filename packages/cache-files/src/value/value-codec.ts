import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Codec } from '@millrace/cache-core/store'

/** Bytes from which on compression gains more than it costs. */
const COMPRESSED_FROM = 2_048
/** Largest value that is read back, in bytes: a few damaged bytes must not become gigabytes. */
const LARGEST = 2 ** 28

/** Encoded values as text that any store keeps as it is: compressed with zstd where that helps, in base64. */
export function textOf(encoded: Uint8Array): string {
  if (encoded.length >= COMPRESSED_FROM) {
    const compressed = zstdCompressSync(encoded)
    if (compressed.length < encoded.length) return `z${compressed.toString('base64')}`
  }
  const { buffer, byteOffset, byteLength } = encoded
  return `p${Buffer.from(buffer, byteOffset, byteLength).toString('base64')}`
}

/** @throws if the text is damaged, or not the codec's */
export function decodeText(codec: Codec<unknown>, text: string): unknown {
  const bytes = Buffer.from(text.slice(1), 'base64')
  if (text.startsWith('z')) {
    return codec.decode(zstdDecompressSync(bytes, { maxOutputLength: LARGEST }))
  }
  if (text.startsWith('p')) return codec.decode(bytes)
  throw new RangeError('Unknown form of a stored value')
}
