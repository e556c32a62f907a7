import type { FileRecord } from './file-record.ts'

/** The order in which files are first asked for, in this process and in the one before. */
export class AccessOrder {
  readonly #limit: number
  readonly #paths: string[] = []
  /** Paths in the order of the process that made the snapshot which was loaded. */
  last: readonly string[] = []

  /** @param limit paths held at most */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Paths in the order of this process. */
  get paths(): readonly string[] {
    return this.#paths
  }

  /** Notes that a file was asked for, the first time. */
  note(record: FileRecord): void {
    if (record.used) return
    record.used = true
    this.add(record.path)
  }

  /** {@link note} for a file without a record. */
  add(path: string): void {
    if (this.#paths.length < this.#limit) this.#paths.push(path)
  }
}
