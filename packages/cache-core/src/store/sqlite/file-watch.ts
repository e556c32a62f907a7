import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileIdentity, SIDE_FILES } from './sqlite-file.ts'

/** A folder that changed less than this many ms ago may change again without another modification time. */
const TIME_RESOLUTION = 50
const UNLESS_GONE = { throwIfNoEntry: false } as const

/**
 * Tells whether a database's files are still those that were opened. A file that was removed remains readable and writable for who
 * has it open, while everyone else begins a new one: what one of them invalidates the other would never hear of.
 *
 * One `stat` of the folder while nothing in it is made, renamed or removed.
 */
export class FileWatch {
  readonly #path: string
  readonly #folder: string
  readonly #identity: string
  /** The folder when it was last known to be untouched for a while. */
  #inode = -1
  #modified = -1

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

  /** Whether the files are in place. */
  holds(): boolean {
    const folder = statSync(this.#folder, UNLESS_GONE)
    if (folder === undefined) return false
    const { ino, mtimeMs } = folder
    if (ino === this.#inode && mtimeMs === this.#modified) return true
    const present = withSideFiles(this.#path, fileIdentity(this.#path))
    if (present !== this.#identity) return false
    this.#inode = Date.now() - mtimeMs > TIME_RESOLUTION ? ino : -1
    this.#modified = mtimeMs
    return true
  }
}

function withSideFiles(path: string, identity: string | undefined): string {
  return [identity, ...SIDE_FILES.map(suffix => fileIdentity(path + suffix))].join()
}
