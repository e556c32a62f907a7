import { canonicalPath } from '../table/paths/path-names.ts'

/** Paths at which something may have changed. Those of a tick are absolute; a source's may be relative to the root. */
export interface ReportedChanges {
  /** What is under these may have changed. */
  readonly paths: readonly string[]
  /** What is under these, and anything below, may have changed: folders that came, went or were replaced. */
  readonly folders: readonly string[]
  /** Why anything at all may have changed, if it may: the other two are then empty. */
  readonly all: ChangeAllReason | undefined
}

/**
 * - `start`: what happened before is not known
 * - `overflow`: more changed at once than is remembered, or than the system reports
 * - `lost`: the system failed to report
 * - `interval`: just in case
 * - `manual`: the host said so
 */
export type ChangeAllReason = 'start' | 'overflow' | 'lost' | 'interval' | 'manual'

/** Where a `Watcher` learns of changes. Its reports are hints: they may name what did not change. */
export interface WatchSource {
  /** Whether now, after `settled`, every change has been reported, so that what is not reported need not be looked at. */
  readonly complete: boolean
  /** Begins to report what changes below `root`. Called once; resolves when every later change will be reported. */
  start(root: string, report: (changes: ReportedChanges) => void): Promise<void>
  /** Resolves when everything that changed before the call has been reported, or `complete` no longer holds. */
  settled(): Promise<void>
  /** Keeps the process alive from now on, as a reader waits for changes. Called as often as {@link unref}. */
  ref?(): void
  /** Takes one {@link ref} back. */
  unref?(): void
  /** Ends it, also before `start` has resolved, or after it failed. Nothing is reported afterwards. */
  close(): Promise<void>
}

/**
 * A report with absolute paths, or that anything may have changed, where it is no report: what was meant is not known.
 *
 * @param root what relative paths are relative to
 */
export function soundReport(reported: ReportedChanges, root: string): ReportedChanges {
  const { paths, folders } = Object(reported) as Partial<ReportedChanges>
  if (!isTexts(paths) || !isTexts(folders)) return { paths: [], folders: [], all: 'lost' }
  const absolute = (path: string) => canonicalPath(path, root)
  return { paths: paths.map(absolute), folders: folders.map(absolute), all: reported.all }
}

const isTexts = (texts: unknown): texts is readonly string[] =>
  Array.isArray(texts) && texts.every(text => typeof text === 'string')
