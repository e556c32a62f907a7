import type { FileFacts } from './facts.ts'
import type { Stamp } from './stamp.ts'

/** What the cache keeps of a source file. */
export interface SourceRecord {
  /** From before the bytes were read. */
  readonly stamp: Stamp
  /** Of the bytes. Equal = the facts still hold, although the file was touched. */
  readonly hash: string
  readonly facts: FileFacts
}
