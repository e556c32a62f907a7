import { statSync, truncateSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileIdentity, SIDE_FILES, sizeOf } from './sqlite-file.ts'

/** A folder that changed less than this many ms ago may change again without another modification time. */
const TIME_RESOLUTION = 50
const UNLESS_GONE = { throwIfNoEntry: false } as const
/** Sizes are looked at again after so many ms, as each look costs half of a read. */
const SIZES_HOLD = 1
/**
 * What was seen holds for reads for so many ms, as a look costs a third of one. Who opens a file lets as much pass before using it, so that
 * all who read the one before it have ended by then. Benchmark case: tiers "SQLite read".
 */
const PLACE_HOLDS = 1

/**
 * Tells whether a database's files are still those that were opened. A file that was removed remains readable and writable for who
 * has it open, while everyone else begins a new one: what one of them invalidates the other would never hear of.
 *
 * One `stat` of the folder per change, and per ms of reads, while nothing in it is made, renamed or removed; {@link isWhole} three more,
 * at most once per ms.
 */
export class FileWatch {
  readonly #path: string
  readonly #folder: string
  readonly #identity: string
  /** The folder when it was last known to be untouched for a while. */
  #inode = -1
  #modified = -1
  /** Before it was last looked whether the files are in place, ms. */
  #seen = -Infinity
  /** When the sizes were last looked at, ms. */
  #looked = -Infinity
  #logSize = 0
  #indexSize = 0

  /**
   * Call it when the database has been opened and its side files exist.
   *
   * @param identity of the file that was opened
   */
  constructor(path: string, identity: string) {
    this.#path = path
    this.#folder = dirname(path)
    this.#identity = withSideFiles(path, identity)
  }

  /**
   * Whether none of the files was cut short, to be asked before they are used: the process would be killed by SIGBUS when it reads its
   * mapping of an index that is no longer there. That is given its size again, so that the database can be closed.
   *
   * @param bytesInUse of the log; `undefined` if that cannot be told now
   */
  isWhole(bytesInUse: () => number | undefined): boolean {
    const now = performance.now()
    if (now - this.#looked < SIZES_HOLD) return true
    const [log, index] = SIDE_FILES.map(suffix => this.#path + suffix) as [string, string]
    const indexSize = sizeOf(index)
    // What is not there is not cut short, but gone, which the other question is about.
    if (indexSize !== undefined && indexSize < this.#indexSize) {
      truncateSync(index, this.#indexSize)
      return false
    }
    this.#indexSize = indexSize ?? 0
    // The header is written before there is a log.
    if (sizeOf(this.#path) === 0) return false
    const logSize = sizeOf(log) ?? 0
    // A checkpoint that someone asked for may empty it, when all of it is in the database.
    if (logSize < this.#logSize) {
      const used = bytesInUse()
      if (used === undefined) return true
      if (logSize < used) return false
    }
    this.#logSize = logSize
    this.#looked = now
    return true
  }

  /** Whether what was read until now was read while the files were in place, or no other process can have used those that replaced them. */
  heldForRead(): boolean {
    return performance.now() - this.#seen < PLACE_HOLDS || this.holds()
  }

  /** Whether the files are in place. */
  holds(): boolean {
    this.#seen = -Infinity
    const before = performance.now()
    const folder = statSync(this.#folder, UNLESS_GONE)
    if (folder === undefined) return false
    const { ino, mtimeMs } = folder
    if (ino !== this.#inode || mtimeMs !== this.#modified) {
      const present = withSideFiles(this.#path, fileIdentity(this.#path))
      if (present !== this.#identity) return false
      this.#inode = Date.now() - mtimeMs > TIME_RESOLUTION ? ino : -1
      this.#modified = mtimeMs
    }
    this.#seen = before
    return true
  }
}

/** Blocks until others have noticed a file that came into its place at `placed` at the latest, ms of `performance.now()`. */
export function untilNoticed(placed: number): void {
  const rest = placed + PLACE_HOLDS - performance.now()
  if (rest > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, rest)
}

function withSideFiles(path: string, identity: string | undefined): string {
  return [identity, ...SIDE_FILES.map(suffix => fileIdentity(path + suffix))].join()
}
