import type { Stats } from 'node:fs'
import { crc32 } from 'node:zlib'
import { type FileStamp, sameStamp } from '../file-stamp.ts'

/** A file that was read, and whose stamp proves that its bytes are the same for as long as the stamp is. */
export interface KnownFile {
  /** Absolute path. */
  readonly path: string
  readonly stamp: FileStamp
  /** SHA-256 in hex. */
  readonly hash: string
}

/** Whether nothing was written between two answers about a file, also where the first was forgotten meanwhile. */
export function sameKnown(a: KnownFile | undefined, b: KnownFile | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a === b || (a.hash === b.hash && sameStamp(a.stamp, b.stamp))
}

const MAGIC = Buffer.from('MFT2')
/** Magic, CRC-32 of all that follows the header, number of files, length of the paths: uint32 each after the magic. */
const HEADER = 16
const STAMP_FIELDS = 5
const HASH_BYTES = 32

/**
 * Known files as bytes: the header, five float64 per stamp, the hashes, and the paths separated by NUL, which no path contains. In
 * columns, which read faster than records do.
 */
export function encodeSnapshot(files: readonly KnownFile[]): Buffer {
  const paths = Buffer.from(files.map(({ path }) => path).join('\0'))
  const stamps = new Float64Array(files.length * STAMP_FIELDS)
  const hashes = Buffer.alloc(files.length * HASH_BYTES)
  for (const [index, { stamp, hash }] of files.entries()) {
    const { dev, ino, size, mtimeMs, ctimeMs } = stamp
    stamps.set([dev, ino, size, mtimeMs, ctimeMs], index * STAMP_FIELDS)
    hashes.write(hash, index * HASH_BYTES, 'hex')
  }
  const header = Buffer.alloc(HEADER)
  const bytes = Buffer.concat([header, Buffer.from(stamps.buffer), hashes, paths])
  MAGIC.copy(bytes)
  bytes.writeUInt32LE(files.length, 8)
  bytes.writeUInt32LE(paths.length, 12)
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return bytes
}

/** The files of a snapshot, by row, in columns: nothing is made of them before it is asked for. */
export class SnapshotColumns {
  readonly paths: readonly string[]
  readonly #stamps: Float64Array
  /** Of all files, one after the other, in hex. */
  readonly #hashes: string

  constructor(paths: readonly string[], stamps: Float64Array, hashes: string) {
    this.paths = paths
    this.#stamps = stamps
    this.#hashes = hashes
  }

  stamp(row: number): FileStamp {
    const stamps = this.#stamps
    const field = row * STAMP_FIELDS
    return {
      dev: stamps[field]!,
      ino: stamps[field + 1]!,
      size: stamps[field + 2]!,
      mtimeMs: stamps[field + 3]!,
      ctimeMs: stamps[field + 4]!,
    }
  }

  /** Whether the stamp of a row is that of a `stat`. */
  matches(row: number, stat: Stats): boolean {
    const stamps = this.#stamps
    const field = row * STAMP_FIELDS
    return (
      stamps[field + 3] === stat.mtimeMs &&
      stamps[field + 4] === stat.ctimeMs &&
      stamps[field + 2] === stat.size &&
      stamps[field + 1] === stat.ino &&
      stamps[field] === stat.dev
    )
  }

  /** SHA-256 in hex. */
  hash(row: number): string {
    return this.#hashes.slice(row * 2 * HASH_BYTES, (row + 1) * 2 * HASH_BYTES)
  }
}

/** The files of a snapshot, or `undefined` if it is torn, damaged, or of another format. */
export function decodeSnapshot(bytes: Uint8Array): SnapshotColumns | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.length < HEADER || !buffer.subarray(0, 4).equals(MAGIC)) return undefined
  if (buffer.readUInt32LE(4) !== crc32(buffer.subarray(8))) return undefined
  const count = buffer.readUInt32LE(8)
  const hashesAt = HEADER + count * STAMP_FIELDS * 8
  const pathsAt = hashesAt + count * HASH_BYTES
  if (buffer.length !== pathsAt + buffer.readUInt32LE(12)) return undefined
  // A copy, as the view must begin at a multiple of eight.
  const stamps = new Float64Array(Uint8Array.from(buffer.subarray(HEADER, hashesAt)).buffer)
  const paths = count === 0 ? [] : buffer.toString('utf8', pathsAt).split('\0')
  if (paths.length !== count) return undefined
  return new SnapshotColumns(paths, stamps, buffer.toString('hex', hashesAt, pathsAt))
}
