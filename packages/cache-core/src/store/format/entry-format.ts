import { crc32 } from 'node:zlib'

/**
 * A value as bytes with all that is known of it. Little-endian:
 *
 * | offset | content |
 * |---|---|
 * | 0 | `M`, format version (2), two bytes 0 |
 * | 4 | CRC-32 of everything from offset 8 |
 * | 8 | `expires`, `retained`, `written`, `version`: float64 each |
 * | 40 | length of the key in bytes, number of tags: uint32 each |
 * | 48 | key; per tag its length (uint32) and itself; packed value |
 */
export interface StoredEntry {
  /** In its storable form, as the tags are. */
  readonly key: string
  readonly expires: number
  readonly retained: number
  /** When it was written, ms on the store's clock. */
  readonly written: number
  readonly version: number
  readonly tags: readonly string[]
  readonly packed: Uint8Array
}

const MAGIC = 0x4d
const FORMAT = 2
const CHECKED_FROM = 8
/** Bytes before the key. */
export const HEADER_LENGTH = 48

export function encodeEntry({
  key,
  expires,
  retained,
  written,
  version,
  tags,
  packed,
}: StoredEntry): Buffer {
  const keyLength = Buffer.byteLength(key)
  let size = HEADER_LENGTH + keyLength + packed.length
  for (const tag of tags) size += 4 + Buffer.byteLength(tag)
  const bytes = Buffer.allocUnsafe(size)
  bytes[0] = MAGIC
  bytes[1] = FORMAT
  bytes.writeUInt16LE(0, 2)
  bytes.writeDoubleLE(expires, 8)
  bytes.writeDoubleLE(retained, 16)
  bytes.writeDoubleLE(written, 24)
  bytes.writeDoubleLE(version, 32)
  bytes.writeUInt32LE(keyLength, 40)
  bytes.writeUInt32LE(tags.length, 44)
  let offset = HEADER_LENGTH + bytes.write(key, HEADER_LENGTH)
  for (const tag of tags) {
    const length = bytes.write(tag, offset + 4)
    bytes.writeUInt32LE(length, offset)
    offset += 4 + length
  }
  bytes.set(packed, offset)
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKED_FROM)), 4)
  return bytes
}

/** The entry, or `undefined` if the bytes are torn, damaged or of an unknown format. Shares memory with `bytes`. */
export function decodeEntry(bytes: Buffer): StoredEntry | undefined {
  if (bytes.length < HEADER_LENGTH || bytes[0] !== MAGIC || bytes[1] !== FORMAT) return undefined
  if (bytes.readUInt32LE(4) !== crc32(bytes.subarray(CHECKED_FROM))) return undefined
  const keyEnd = HEADER_LENGTH + bytes.readUInt32LE(40)
  const tags: string[] = []
  let offset = keyEnd
  for (let count = bytes.readUInt32LE(44); count > 0; count--) {
    const end = offset + 4 + bytes.readUInt32LE(offset)
    tags.push(bytes.toString('utf8', offset + 4, end))
    offset = end
  }
  return {
    key: bytes.toString('utf8', HEADER_LENGTH, keyEnd),
    expires: bytes.readDoubleLE(8),
    retained: bytes.readDoubleLE(16),
    written: bytes.readDoubleLE(24),
    version: bytes.readDoubleLE(32),
    tags,
    packed: bytes.subarray(offset),
  }
}
