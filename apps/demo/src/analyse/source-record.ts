import type { FileFacts } from './facts.ts'

/** What the cache keeps of a source file. */
export interface SourceRecord {
  /** From the stat before the bytes were read: size, times and inode. Equal = unchanged. */
  readonly fingerprint: string
  /** Of the bytes. Equal = the facts still hold, although the file was touched. */
  readonly hash: string
  readonly facts: FileFacts
}
