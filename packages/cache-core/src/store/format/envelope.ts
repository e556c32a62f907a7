import { crc32 } from 'node:zlib'

/**
 * A stored value with all that is known of it, as bytes. Little-endian:
 *
 * | offset | content |
 * |---|---|
 * | 0 | `M`, format version (1), two bytes 0 |
 * | 4 | CRC-32 of everything from offset 16 |
 * | 8 | `expires`, float64: outside the checksum, so that it can be zeroed in place |
 * | 16 | `retained`, `version`: float64 each |
 * | 32 | length of the key in bytes: uint32; number of tags: uint16 |
 * | 38 | key; per tag its length (uint16) and itself; packed value |
 */
export interface Envelope {
  readonly key: string
  readonly expires: number
  readonly retained: number
  readonly version: number
  readonly tags: readonly string[]
  readonly packed: Uint8Array
}

/** Where `expires` lies; eight zero bytes there make a value stale. */
export const EXPIRES_OFFSET = 8

const MAGIC = 0x4d
const FORMAT = 1
const CHECKED_FROM = 16
const HEADER = 38

/** @throws {RangeError} for a tag of more than 65,535 bytes or more than 65,535 tags */
export function encodeEnvelope(envelope: Envelope): Buffer {
  const { key, tags, packed } = envelope
  const keyLength = Buffer.byteLength(key)
  let size = HEADER + keyLength + packed.length
  for (const tag of tags) size += 2 + Buffer.byteLength(tag)
  const bytes = Buffer.allocUnsafe(size)
  bytes[0] = MAGIC
  bytes[1] = FORMAT
  bytes.writeUInt16LE(0, 2)
  bytes.writeDoubleLE(envelope.expires, EXPIRES_OFFSET)
  bytes.writeDoubleLE(envelope.retained, 16)
  bytes.writeDoubleLE(envelope.version, 24)
  bytes.writeUInt32LE(keyLength, 32)
  bytes.writeUInt16LE(tags.length, 36)
  let offset = HEADER + bytes.write(key, HEADER)
  for (const tag of tags) {
    const length = bytes.write(tag, offset + 2)
    bytes.writeUInt16LE(length, offset)
    offset += 2 + length
  }
  bytes.set(packed, offset)
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKED_FROM)), 4)
  return bytes
}

/** The envelope, or `undefined` if the bytes are torn, damaged or of an unknown format. Shares memory with `bytes`. */
export function decodeEnvelope(bytes: Buffer): Envelope | undefined {
  if (bytes.length < HEADER || bytes[0] !== MAGIC || bytes[1] !== FORMAT) return undefined
  if (bytes.readUInt32LE(4) !== crc32(bytes.subarray(CHECKED_FROM))) return undefined
  const keyEnd = HEADER + bytes.readUInt32LE(32)
  const tags: string[] = []
  let offset = keyEnd
  for (let count = bytes.readUInt16LE(36); count > 0; count--) {
    const end = offset + 2 + bytes.readUInt16LE(offset)
    tags.push(bytes.toString('utf8', offset + 2, end))
    offset = end
  }
  return {
    key: bytes.toString('utf8', HEADER, keyEnd),
    expires: bytes.readDoubleLE(EXPIRES_OFFSET),
    retained: bytes.readDoubleLE(16),
    version: bytes.readDoubleLE(24),
    tags,
    packed: bytes.subarray(offset),
  }
}
