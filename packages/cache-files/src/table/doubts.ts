import { dirname, sep } from 'node:path'
import type { FolderLists } from './paths/folder-lists.ts'
import type { PathKinds } from './paths/path-kinds.ts'
import type { PathNames } from './paths/path-names.ts'
import type { FileRecords } from './records/file-records.ts'
import type { ChangeReports } from './trust/change-feed.ts'
import type { Trust } from './trust/trust.ts'

/** What a table remembers of paths. */
export interface KnownPaths {
  readonly names: PathNames
  readonly records: FileRecords
  readonly kinds: PathKinds
  readonly folders: FolderLists
}

/** Takes the reports of a feed: what they name is looked at again. */
export class Doubts implements ChangeReports {
  readonly #known: KnownPaths
  readonly #trust: Trust
  readonly #feed: Trust['feed']

  /** The feed is the one that `trust` holds now. */
  constructor(known: KnownPaths, trust: Trust) {
    this.#known = known
    this.#trust = trust
    this.#feed = trust.feed
  }

  changed(paths: Iterable<string>): void {
    this.#trust.reports++
    for (const path of paths) this.#doubt(this.#known.names.intern(path))
  }

  changedBelow(folders: readonly string[]): void {
    const { names, records, kinds, folders: lists } = this.#known
    this.#trust.reports++
    const roots = folders.map(folder => names.intern(folder))
    for (const path of [...records.paths(), ...kinds.paths(), ...lists.paths()]) {
      if (roots.some(root => isWithin(path, root))) this.#doubt(path)
    }
  }

  changedAll(): void {
    this.#trust.doubtAll()
  }

  close(): void {
    if (this.#trust.feed === this.#feed) this.#trust.feed = undefined
    this.#trust.doubtAll()
  }

  #doubt(path: string): void {
    const { records, kinds, folders } = this.#known
    const record = records.peek(path)
    if (record !== undefined) record.trust = 0
    kinds.doubt(path)
    folders.doubt(path)
    folders.doubt(dirname(path))
  }
}

/** Whether a path is a folder's own, or below it. Both are names of a table. */
function isWithin(path: string, folder: string): boolean {
  if (!path.startsWith(folder)) return false
  // Only the root of a file system ends in a separator.
  return path.length === folder.length || path[folder.length] === sep || folder.endsWith(sep)
}
