import { join } from 'node:path'
import type { Clock, Timer } from '@millrace/cache-core'
import { FileReadError } from '../errors.ts'
import type { FileTable } from '../table/file-table.ts'
import type { FolderList } from '../table/paths/folder-lists.ts'
import { type KnownFile, sameKnown } from '../table/records/table-snapshot.ts'
import type { ReportedChanges, WatchSource } from './watch-source.ts'

/** What a {@link PollSource} looks at, and when. */
export interface PollSettings {
  readonly files: FileTable
  /** Names of folders that are not looked into. */
  readonly ignore: readonly string[]
  /** ms between looks. */
  readonly interval: number
  readonly clock: Clock
}

/**
 * Looks at every file that the table knows and into every folder below the root, again and again: for file systems without events. It
 * vouches for nothing, so every call looks for itself all the same. A look blocks for a `stat` per file and folder, and lists the folders
 * that have changed.
 */
export class PollSource implements WatchSource {
  readonly complete = false
  readonly #settings: PollSettings
  readonly #ignored: ReadonlySet<string>
  #seen = new Map<string, KnownFile | undefined>()
  #lists = new Map<string, FolderList>()
  #report: (changes: ReportedChanges) => void = () => undefined
  #timer: Timer | undefined

  constructor(settings: PollSettings) {
    this.#settings = settings
    this.#ignored = new Set(settings.ignore)
  }

  async start(_root: string, report: (changes: ReportedChanges) => void): Promise<void> {
    this.#report = report
    this.#look()
    this.#wait()
  }

  async settled(): Promise<void> {
    this.#look()
  }

  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#report = () => undefined
  }

  #wait(): void {
    const { clock, interval } = this.#settings
    this.#timer = clock.setTimer(() => {
      this.#look()
      this.#wait()
    }, interval)
  }

  #look(): void {
    const paths = new Set<string>()
    const folders = new Set<string>()
    this.#lookAtFiles(paths)
    this.#lookIntoFolders(paths, folders)
    if (paths.size + folders.size === 0) return
    this.#report({ paths: [...paths], folders: [...folders], all: undefined })
  }

  /** Files that were there the last time are looked for even where the table has forgotten them since. */
  #lookAtFiles(changed: Set<string>): void {
    const before = this.#seen
    const seen = new Map<string, KnownFile | undefined>()
    for (const path of new Set([...this.#settings.files.paths(), ...before.keys()])) {
      const state = unlessFailed(() => this.#settings.files.knownSync(path))
      if (before.has(path) && !sameKnown(before.get(path), state)) changed.add(path)
      if (state !== undefined || !before.has(path)) seen.set(path, state)
    }
    this.#seen = seen
  }

  /** Names that came or went, in the folders that were there the last time: one that is new is told of by its own name. */
  #lookIntoFolders(changed: Set<string>, changedFolders: Set<string>): void {
    const { files } = this.#settings
    const before = this.#lists
    const lists = new Map<string, FolderList>()
    const left = [files.root]
    for (const folder of left) {
      const known = before.get(folder)
      // What cannot be listed now, for instance for want of a descriptor, is taken to be as it was.
      const list = unlessFailed(() => files.folderSync(folder)) ?? known
      if (list === undefined) continue
      lists.set(folder, list)
      for (const name of list.folders) if (!this.#ignored.has(name)) left.push(join(folder, name))
      if (known === undefined || known === list) continue
      for (const name of differences(known, list)) {
        const isFolder = known.folders.has(name) || list.folders.has(name)
        const path = join(folder, name)
        if (isFolder) changedFolders.add(path)
        else changed.add(path)
      }
    }
    this.#lists = lists
  }
}

function unlessFailed<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (error instanceof FileReadError) return undefined
    throw error
  }
}

/** Names in one of two lists, or of a folder in one only. */
function differences(a: FolderList, b: FolderList): Set<string> {
  return new Set(a.names)
    .symmetricDifference(new Set(b.names))
    .union(a.folders.symmetricDifference(b.folders))
}
