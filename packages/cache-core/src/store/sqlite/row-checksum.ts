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

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ ((rest & 1) * 0xed_b8_83_20)
  return rest
})

/** `crc32` of a few bytes, for which the call out of JavaScript costs more than the sum. Benchmark case: tiers "SQLite read". */
function crcOfFew(bytes: Uint8Array): number {
  let crc = 0xff_ff_ff_ff
  for (let at = 0; at < bytes.length; at++) crc = table[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8)
  return ~crc >>> 0
}

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
  const value = bytes.subarray(HEADER)
  if (numberAt(bytes, 0) !== checksumOf(value, row)) return undefined
  if (row.expires !== 0 && numberAt(bytes, 4) !== checksumOfLife(row.expires)) return undefined
  return value
}

/** Of 32 bits, little-endian. */
function numberAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  )
}

function checksumOf(value: Uint8Array, { key, tags, version, retained }: CheckedRow): number {
  times[0] = version
  times[1] = retained
  return crc32(value, crc32(tags === null ? key : `${key}\0${tags}`, crcOfFew(timesBytes)))
}

function checksumOfLife(expires: number): number {
  life[0] = expires
  return crcOfFew(lifeBytes)
}
