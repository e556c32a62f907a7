import type { FamilyDescription } from '../metric/family-description.ts'

/** One series of a lane, as its writer announces it to readers. */
export interface DirectoryRecord {
  readonly description: FamilyDescription
  readonly labelValues: readonly string[]
  /** First cell, and how many. */
  readonly at: number
  readonly size: number
}

const PREFIX = 4
const ENCODER = new TextEncoder()

/** Appends a record. Returns the new length, or `undefined` where it does not fit. */
export function appendRecord(
  directory: Uint8Array,
  length: number,
  record: DirectoryRecord,
): number | undefined {
  const bytes = ENCODER.encode(JSON.stringify(record))
  const end = length + PREFIX + bytes.length
  if (end > directory.length) return undefined
  new DataView(directory.buffer, directory.byteOffset).setUint32(length, bytes.length)
  directory.set(bytes, length + PREFIX)
  return end
}

/** The records from byte `from` up to `length`. */
export function* readRecords(
  directory: Uint8Array,
  from: number,
  length: number,
): Generator<DirectoryRecord> {
  const view = new DataView(directory.buffer, directory.byteOffset)
  for (let at = from; at < length; ) {
    const size = view.getUint32(at)
    // A copy: text decoders refuse shared memory.
    const bytes = directory.slice(at + PREFIX, at + PREFIX + size)
    yield JSON.parse(Buffer.from(bytes).toString()) as DirectoryRecord
    at += PREFIX + size
  }
}
