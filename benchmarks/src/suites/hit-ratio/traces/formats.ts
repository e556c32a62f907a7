import { type Trace, toTrace } from './trace.ts'

export type Format = (name: string, bytes: Buffer) => Trace

/** ARC's `.lis`: lines of `start count ignored number`, each standing for `count` reads from `start` on. */
export const arc: Format = (name, bytes) => {
  const rows: number[] = []
  let count = 0
  for (const line of lines(bytes)) {
    const [start, length] = line.split(' ', 2).map(Number)
    rows.push(start!, length!)
    count += length!
  }
  return toTrace(name, expand(rows), count)
}

function* expand(rows: readonly number[]): Generator<number> {
  for (let row = 0; row < rows.length; row += 2) {
    for (let offset = 0; offset < rows[row + 1]!; offset++) yield rows[row]! + offset
  }
}

/** One key per line; lines of `*` are the LIRS simulator's breakpoints, not reads. */
export const text: Format = (name, bytes) => {
  const keys = lines(bytes).filter(line => line !== '*')
  return toTrace(name, keys, keys.length)
}

/** A key per 4 bytes. Byte order does not matter, as keys are only compared. */
export const int32: Format = (name, bytes) => {
  const keys = new Int32Array(new Uint8Array(bytes).buffer, 0, bytes.length >> 2)
  return toTrace(name, keys, keys.length)
}

/**
 * libCacheSim's oracleGeneral: 24-byte little-endian records of time (4), key (8), size (4), next read (8).
 * The next read is not used: Belady's policy finds it out itself.
 */
export const oracleGeneral: Format = (name, bytes) => {
  const count = Math.floor(bytes.length / 24)
  const keys = Array.from({ length: count }, (_, record) => bytes.readBigUInt64LE(record * 24 + 4))
  const sizes = Int32Array.from({ length: count }, (_, record) =>
    bytes.readUInt32LE(record * 24 + 12),
  )
  return { ...toTrace(name, keys, count), sizes }
}

function lines(bytes: Buffer): string[] {
  return bytes
    .toString('latin1')
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
}
