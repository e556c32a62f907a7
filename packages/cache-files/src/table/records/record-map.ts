import { Cache } from '@millrace/cache-core'
import type { FileStamp } from '../file-stamp.ts'
import type { FileRecord } from './file-record.ts'
import { LoadedRecords } from './loaded-records.ts'
import type { SnapshotColumns } from './table-snapshot.ts'

/**
 * Records by path. Those of a snapshot stay apart from the others, as no policy has to place them one by one: they were all of use.
 * Benchmark case: files "no-op run over 10,000 files".
 */
export class RecordMap {
  readonly #limit: number
  readonly #held: Cache<string, FileRecord>
  #loaded: LoadedRecords | undefined

  /** @param limit records at most; beyond, those that are of least use go */
  constructor(limit: number) {
    this.#limit = limit
    this.#held = new Cache({
      maxEntries: limit,
      onRemove: (_, record) => {
        record.left = true
      },
    })
  }

  get size(): number {
    return this.#held.size + (this.#loaded?.size ?? 0)
  }

  *paths(): Generator<string, void> {
    if (this.#loaded !== undefined) yield* this.#loaded.paths()
    yield* this.#held.keys()
  }

  *entries(): Generator<[path: string, record: FileRecord], void> {
    if (this.#loaded !== undefined) yield* this.#loaded.entries()
    yield* this.#held.entries()
  }

  /** The record of a path, for use. */
  get(path: string): FileRecord | undefined {
    return this.#loaded?.get(path) ?? this.#held.get(path)
  }

  /** The record of a path, without a trace in what is of use. */
  peek(path: string): FileRecord | undefined {
    return this.#loaded?.get(path) ?? this.#held.peek(path)
  }

  /** Records of a snapshot, as far as no policy has them. */
  get loaded(): LoadedRecords | undefined {
    return this.#loaded
  }

  set(path: string, record: FileRecord): void {
    const loaded = this.#loaded
    if (loaded !== undefined) {
      if (loaded.replace(path, record)) return
      if (this.size >= this.#limit) this.#unfold()
    }
    this.#held.set(path, record)
  }

  /** Whether there was one. */
  delete(path: string): boolean {
    return this.#loaded?.delete(path) === true || this.#held.delete(path)
  }

  /**
   * Takes over a snapshot; its records replace those of the same paths.
   *
   * @param paths one for each row of the columns, interned
   * @param settled whether a stamp proves something
   */
  load(
    columns: SnapshotColumns,
    paths: readonly string[],
    settled: (stamp: FileStamp) => boolean,
  ): void {
    this.#unfold()
    if (this.#held.size > 0) for (const path of paths) this.#held.delete(path)
    this.#loaded = new LoadedRecords(columns, paths, settled)
    if (this.size > this.#limit) this.#unfold()
  }

  /** Gives records of a snapshot to the policy, which then says which of them stay. */
  #unfold(): void {
    const loaded = this.#loaded
    this.#loaded = undefined
    if (loaded !== undefined) {
      for (const [path, record] of loaded.entries()) this.#held.set(path, record)
    }
  }
}
