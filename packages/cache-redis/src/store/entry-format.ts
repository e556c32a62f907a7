import { crc32 } from 'node:zlib'
import { originalKey, storableKey } from '@millrace/cache-core/store'
import { InvalidOptionError } from '@millrace/kit'

/*
 * A value in Redis, little-endian. The script writes the head, by the server's clock; the client the rest.
 *
 * | offset | content |
 * |---|---|
 * | 0 | `M`, format version (2), two bytes 0 |
 * | 4 | incarnation of the journal: uint32 |
 * | 8 | `expires`, ms since 1970, 0 after an expire: float64 |
 * | 16 | `version`, `retained`: float64 each |
 * | 32 | CRC-32 of the key and of everything from offset 36 |
 * | 36 | 1 if the key is included, else 0; one byte 0; number of tags: uint16 |
 * | 40 | per tag its length (uint32) and itself; the key's length (uint32) and itself if included; packed value |
 */

const HEAD = 32
const BODY_HEAD = 8
const MOST_TAGS = 65_535

/** What the client finds in a value's bytes. Times are the server's. */
export interface StoredEntry {
  readonly expires: number
  readonly retained: number
  readonly version: number
  readonly tags: readonly string[]
  readonly packed: Uint8Array
}

/**
 * Tags in the form that is stored.
 *
 * @throws {InvalidOptionError} for too many
 */
export function storableTags(tags: readonly string[]): readonly string[] {
  if (tags.length <= MOST_TAGS) return tags.map(storableKey)
  throw new InvalidOptionError('tags', `an array of at most ${MOST_TAGS} tags`, tags)
}

/**
 * The client's part of a value.
 *
 * @param key as stored; included if `includeKey`, and part of the checksum in any case
 * @param tags as stored
 */
export function encodeBody(
  key: string,
  tags: readonly string[],
  packed: Uint8Array,
  includeKey: boolean,
): Buffer {
  let size = BODY_HEAD + packed.length
  for (const tag of tags) size += 4 + Buffer.byteLength(tag)
  if (includeKey) size += 4 + Buffer.byteLength(key)
  const bytes = Buffer.allocUnsafe(size)
  bytes[4] = includeKey ? 1 : 0
  bytes[5] = 0
  bytes.writeUInt16LE(tags.length, 6)
  let offset = BODY_HEAD
  for (const tag of tags) {
    const length = bytes.write(tag, offset + 4)
    bytes.writeUInt32LE(length, offset)
    offset += 4 + length
  }
  if (includeKey) {
    const length = bytes.write(key, offset + 4)
    bytes.writeUInt32LE(length, offset)
    offset += 4 + length
  }
  bytes.set(packed, offset)
  bytes.writeUInt32LE(checksum(key, bytes.subarray(4)), 0)
  return bytes
}

/** @returns `undefined` for bytes that are damaged, or of another key */
export function decodeEntry(bytes: Buffer, key: string): StoredEntry | undefined {
  if (bytes.length < HEAD + BODY_HEAD) return undefined
  if (bytes.readUInt32LE(HEAD) !== checksum(key, bytes.subarray(HEAD + 4))) return undefined
  const count = bytes.readUInt16LE(HEAD + 6)
  let offset = HEAD + BODY_HEAD
  const tags: string[] = count === 0 ? NO_TAGS : []
  for (let index = 0; index < count; index++) {
    const end = offset + 4 + bytes.readUInt32LE(offset)
    tags.push(originalKey(bytes.toString('utf8', offset + 4, end)))
    offset = end
  }
  if (bytes[HEAD + 4] === 1) offset += 4 + bytes.readUInt32LE(offset)
  return {
    expires: bytes.readDoubleLE(8),
    version: bytes.readDoubleLE(16),
    retained: bytes.readDoubleLE(24),
    tags,
    packed: bytes.subarray(offset),
  }
}

/** The key that the bytes include, as stored, or `undefined`. */
export function includedKey(bytes: Buffer): string | undefined {
  if (bytes[HEAD + 4] !== 1) return undefined
  let offset = HEAD + BODY_HEAD
  for (let count = bytes.readUInt16LE(HEAD + 6); count > 0; count--) {
    offset += 4 + bytes.readUInt32LE(offset)
  }
  return bytes.toString('utf8', offset + 4, offset + 4 + bytes.readUInt32LE(offset))
}

const NO_TAGS: string[] = []

function checksum(key: string, bytes: Buffer): number {
  return crc32(bytes, crc32(key))
}
