import { DamagedError } from './sqlite-file.ts'

/** A value as its row holds it. */
export interface EntryRow {
  readonly version: number
  readonly expires: number
  readonly retained: number
  /** When it was last written or noted as read, ms. */
  readonly used: number
  readonly tags: string | null
  /** Behind its checksum. */
  readonly value: Uint8Array
}

/** As the statement has them. */
export type RowColumns = readonly [
  version: number,
  retained: number,
  used: number,
  tags: string | null,
  value: Uint8Array,
  expires: number,
]

/** As the statement has them: those of the row, `null` where there is none, and the epoch. */
export type LookupColumns = readonly [version: number | null, ...unknown[]]

/** Where the epoch is among them. */
export const EPOCH = 6

/** What {@link SqliteEntries.lookup} found. */
export interface Lookup {
  readonly epoch: number
  readonly rows: readonly (EntryRow | undefined)[]
}

/** A key with the number of its row. */
export interface KeyRow {
  readonly row: number
  readonly key: string
}

/** What a `set` writes. */
export interface EntryWrite {
  readonly key: string
  /** Packed. */
  readonly value: Uint8Array
  /** Bytes that count against the store's limit. */
  readonly size: number
  readonly expires: number
  readonly retained: number
  /** As a JSON array of storable names; `null` for none. */
  readonly tags: string | null
  /** Epoch of the fence, or `undefined` for a write that outdates the fences before it. */
  readonly epoch: number | undefined
}

export function entryRow([version, retained, used, tags, value, expires]: RowColumns): EntryRow {
  return { version, retained, used, tags, value, expires }
}

/**
 * The epoch of the row of a statement.
 *
 * @throws {DamagedError} if there is none
 */
export function wholeEpoch(row: unknown): number {
  const epoch = (row as readonly (number | null | undefined)[] | undefined)?.[0] ?? null
  if (epoch === null) throw new DamagedError()
  return epoch
}
