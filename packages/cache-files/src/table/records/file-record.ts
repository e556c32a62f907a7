import type { FileStamp } from '../file-stamp.ts'
import type { KnownFile } from './table-snapshot.ts'

/** What a table knows of a file. One with other bytes, or another stamp, is another record. */
export class FileRecord implements KnownFile {
  readonly path: string
  readonly stamp: FileStamp
  readonly hash: string
  /** Whether the stamp alone tells that the bytes are the same. */
  settled: boolean
  /** Mark of the table's trust: whether not even the stamp has to be looked at. */
  trust = 0
  /** When it was last looked at, ms on the monotonic clock; only kept where an interval is. */
  validated: number = -Infinity
  /** Whether it is no longer, or never was, what the table has of its path: no report reaches it then. */
  left = false
  /** Whether it was asked for in this process. */
  used = false

  constructor(path: string, stamp: FileStamp, hash: string, settled: boolean) {
    this.path = path
    this.stamp = stamp
    this.hash = hash
    this.settled = settled
  }
}
