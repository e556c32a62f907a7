import { crc32 } from 'node:zlib'

/*
 * SQLite has no checksum of its own over what it stores, so that a bit that flips on the disk comes back as another value. Each value
 * therefore stands behind eight bytes: the CRC-32 of itself with the rest of its row, and that of `expires`, by itself, as an
 * invalidation sets it to 0.
 */
const HEADER = 8

/** What a value is checked together with. */
export interface CheckedRow {
  readonly key: string
  readonly tags: string | null
  readonly version: number
  readonly expires: number
  readonly retained: number
}

const times = new Float64Array(2)
const timesBytes = new Uint8Array(times.buffer)
const life = new Float64Array(1)
const lifeBytes = new Uint8Array(life.buffer)

/** The value with its checksums before it. */
export function sealed(value: Uint8Array, row: CheckedRow): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEADER + value.length)
  bytes.set(value, HEADER)
  bytes.writeUInt32LE(checksumOf(bytes.subarray(HEADER), row), 0)
  bytes.writeUInt32LE(checksumOfLife(row.expires), 4)
  return bytes
}

/** The value alone, or `undefined` if it or its row is not what was written. Shares memory with `bytes`. */
export function unsealed(bytes: Uint8Array, row: CheckedRow): Uint8Array | undefined {
  // Damage can change the type of a column, too.
  if (!(bytes instanceof Uint8Array) || bytes.length < HEADER) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER)
  const value = bytes.subarray(HEADER)
  if (view.getUint32(0, true) !== checksumOf(value, row)) return undefined
  if (row.expires !== 0 && view.getUint32(4, true) !== checksumOfLife(row.expires)) return undefined
  return value
}

function checksumOf(value: Uint8Array, { key, tags, version, retained }: CheckedRow): number {
  times[0] = version
  times[1] = retained
  return crc32(value, crc32(tags === null ? key : `${key}\0${tags}`, crc32(timesBytes)))
}

function checksumOfLife(expires: number): number {
  life[0] = expires
  return crc32(lifeBytes)
}
