/**
 * What reports every change below a folder, so that what was looked at once needs no `stat` until it is reported: a `Watcher`. A feed
 * is told to its {@link FileTable} by `follow`.
 */
export interface ChangeFeed {
  /** Whether every change of what is under the path (an absolute one) is reported from now on. */
  covers(path: string): boolean
  /** Resolves when every change made before the call has been reported. */
  settled(): Promise<void>
}

/** By what a {@link ChangeFeed} reports changes to the table that follows it. */
export interface ChangeReports {
  /** What is under these paths, absolute or relative to the root of the table, may have changed. */
  changed(paths: Iterable<string>): void
  /** What is under these paths, absolute or relative to the root of the table, and anything below them, may have changed. */
  changedBelow(folders: readonly string[]): void
  /** Anything may have changed. */
  changedAll(): void
  /** Ends it: from now on the table looks for itself. */
  close(): void
}
