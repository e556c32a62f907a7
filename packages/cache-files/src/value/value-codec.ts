import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Codec } from '@millrace/cache-core/store'

/** Bytes from which on compression gains more than it costs. */
const COMPRESSED_FROM = 512
/** Largest value that is read back, in bytes: a few damaged bytes must not become gigabytes. */
const LARGEST = 2 ** 28

/** A value as text that any store keeps as it is: its codec's bytes, compressed with zstd where that helps, in base64. */
export function encodeValue(codec: Codec<unknown>, value: unknown): string {
  const plain = codec.encode(value)
  if (plain.length >= COMPRESSED_FROM) {
    const compressed = zstdCompressSync(plain)
    if (compressed.length < plain.length) return `z${compressed.toString('base64')}`
  }
  const { buffer, byteOffset, byteLength } = plain
  return `p${Buffer.from(buffer, byteOffset, byteLength).toString('base64')}`
}

/** @throws if the text is damaged, or not the codec's */
export function decodeValue(codec: Codec<unknown>, text: string): unknown {
  const bytes = Buffer.from(text.slice(1), 'base64')
  if (text.startsWith('z')) {
    return codec.decode(zstdDecompressSync(bytes, { maxOutputLength: LARGEST }))
  }
  if (text.startsWith('p')) return codec.decode(bytes)
  throw new RangeError('Unknown form of a stored value')
}
