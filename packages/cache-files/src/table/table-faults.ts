import { FileReadError } from '../errors.ts'
import { sameStamp } from './file-stamp.ts'
import type { FileContents } from './read/file-contents.ts'
import { type FileRead, readFileSync } from './read/read-file.ts'
import type { FileRecord } from './records/file-record.ts'
import type { Trust } from './trust/trust.ts'

/** What is wrong with what is known of a file. */
export interface TableFault {
  /** Absolute path. */
  readonly path: string
  /**
   * - `stale-stamp`: it has other bytes than its stamp says
   * - `missed-change`: the feed vouched for it, and it has changed
   * - `changed-content`: the bytes that are shared were written to
   */
  readonly problem: 'stale-stamp' | 'missed-change' | 'changed-content'
}

/** What a table knows, and how it reads. */
export interface TableState {
  readonly records: Iterable<[path: string, record: FileRecord]>
  readonly contents: FileContents
  readonly trust: Trust
  readonly maxFileBytes: number
}

/** Compares records with the bytes on disk where the stamp or a feed says that they are the same. What cannot be read is no fault. */
export function* tableFaults(state: TableState): Generator<TableFault, void> {
  const { records, contents, trust, maxFileBytes } = state
  for (const [path, record] of records) {
    const vouched = trust.holds(record.trust)
    if (!contents.isIntact(record.hash)) yield { path, problem: 'changed-content' }
    else if (vouched || record.settled) {
      const problem = faultOf(record, vouched, maxFileBytes)
      if (problem !== undefined) yield { path, problem }
    }
  }
}

function faultOf(
  record: FileRecord,
  vouched: boolean,
  limit: number,
): TableFault['problem'] | undefined {
  let now: FileRead
  try {
    now = readFileSync(record.path, limit)
  } catch (error) {
    if (!(error instanceof FileReadError)) throw error
    return vouched && error.reason !== 'failed' ? 'missed-change' : undefined
  }
  const same = sameStamp(record.stamp, now.stamp)
  if (now.hash === record.hash) return undefined
  if (vouched && !same) return 'missed-change'
  return same && now.stable ? 'stale-stamp' : undefined
}
