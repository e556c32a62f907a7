import type { Stats } from 'node:fs'
import type { FileStamp } from '../file-stamp.ts'
import { FileRecord } from './file-record.ts'
import type { SnapshotColumns } from './table-snapshot.ts'

/**
 * Records of a snapshot, each made when more than its hash is asked for: what ten thousand of them hold would survive the collections of
 * young garbage of a run that finds nothing changed. Runs ask in the order of the run before, mostly, and are answered without a table of
 * paths, which costs more than all the rest; one is made at the first question out of order.
 */
export class LoadedRecords {
  readonly #columns: SnapshotColumns
  readonly #paths: readonly string[]
  readonly #settled: (stamp: FileStamp) => boolean
  /** By row, as far as they were asked for. */
  readonly #records: (FileRecord | undefined)[]
  /** By row: whether it was asked for before its record was made. */
  readonly #used: Uint8Array
  #rows: Map<string, number> | undefined
  /** The row that was asked for last. */
  #last = -1

  /**
   * @param paths one for each row, interned
   * @param settled whether a stamp proves something
   */
  constructor(
    columns: SnapshotColumns,
    paths: readonly string[],
    settled: (stamp: FileStamp) => boolean,
  ) {
    this.#columns = columns
    this.#paths = paths
    this.#settled = settled
    this.#records = new Array(paths.length)
    this.#used = new Uint8Array(paths.length)
    // Two names of the snapshot may be one here.
    if (paths !== columns.paths) this.#index()
  }

  get size(): number {
    return this.#rows?.size ?? this.#paths.length
  }

  paths(): Iterable<string> {
    return this.#rows?.keys() ?? this.#paths
  }

  *entries(): Generator<[path: string, record: FileRecord], void> {
    for (const [path, row] of this.#index()) yield [path, this.#record(row)]
  }

  get(path: string): FileRecord | undefined {
    const row = this.#row(path)
    return row === undefined ? undefined : this.#record(row)
  }

  /** The row of a path whose record was not made yet; -1 if there is none. */
  unmade(path: string): number {
    const row = this.#row(path)
    return row === undefined || this.#records[row] !== undefined ? -1 : row
  }

  /** Whether the record of a row was made meanwhile. */
  isMade(row: number): boolean {
    return this.#records[row] !== undefined
  }

  /** Notes that a row is asked for; whether that is the first time. */
  use(row: number): boolean {
    if (this.#used[row] === 1) return false
    this.#used[row] = 1
    return true
  }

  /** Whether the stamp of a row is that of a `stat`. */
  matches(row: number, stat: Stats): boolean {
    return this.#columns.matches(row, stat)
  }

  /** The hash of a row whose stamp was found to be that of a `stat`; `undefined` if it proves nothing. */
  provenHash(row: number, stat: Stats): string | undefined {
    return this.#settled(stat) ? this.#columns.hash(row) : undefined
  }

  /** Puts another record in the place of one; whether there was one. */
  replace(path: string, record: FileRecord): boolean {
    const row = this.#row(path)
    if (row === undefined) return false
    this.#leave(row)
    this.#records[row] = record
    return true
  }

  /** Whether there was one. */
  delete(path: string): boolean {
    const rows = this.#index()
    const row = rows.get(path)
    if (row !== undefined) this.#leave(row)
    return rows.delete(path)
  }

  #leave(row: number): void {
    const record = this.#records[row]
    if (record !== undefined) record.left = true
  }

  #row(path: string): number | undefined {
    if (this.#rows === undefined) {
      const last = this.#last
      if (path === this.#paths[last]) return last
      if (path === this.#paths[last + 1]) return ++this.#last
    }
    return this.#index().get(path)
  }

  #index(): Map<string, number> {
    if (this.#rows !== undefined) return this.#rows
    const rows = new Map<string, number>()
    for (const [row, path] of this.#paths.entries()) rows.set(path, row)
    this.#rows = rows
    return rows
  }

  #record(row: number): FileRecord {
    let record = this.#records[row]
    if (record === undefined) {
      const columns = this.#columns
      const stamp = columns.stamp(row)
      record = new FileRecord(this.#paths[row]!, stamp, columns.hash(row), this.#settled(stamp))
      record.used = this.#used[row] === 1
      this.#records[row] = record
    }
    return record
  }
}
