import {
  type FSWatcher,
  lstatSync,
  readdirSync,
  readFileSync,
  type Stats,
  statSync,
  watch,
} from 'node:fs'
import { basename, join } from 'node:path'
import { allMounts, mountsBelow } from './mounts-below.ts'
import type { PendingChanges } from './pending-changes.ts'

/** Events in one turn of the loop above which the system's queue may have run over: a quarter of what it holds. */
const BURST = Math.floor(queueLength() / 4)

/**
 * A watch on every folder of a tree. Node's own recursive watch puts one on every file too on Linux, and does not look into folders that came
 * with their contents; here a folder that appears is watched first and then listed, so that what was made in it before is reported as well.
 *
 * The system does not say when its queue ran over (libuv drops `IN_Q_OVERFLOW`). A queue that did was read in one turn, so a turn with
 * a quarter of its length is taken for one, and everything is begun anew.
 */
export class TreeWatch {
  readonly #root: string
  readonly #ignored: ReadonlySet<string>
  readonly #changes: PendingChanges
  readonly #onChange: () => void
  readonly #watchers = new Map<string, FSWatcher>()
  /** Device and inode of the root when it was begun. */
  #identity = ''
  /** What was mounted below it then, and anywhere when it was last looked at. */
  #mounts = ''
  #allMounts = ''
  #events = 0
  /** Whether changes may have gone unnoticed: it has to begin anew. */
  lost = false
  /** Whether the system cannot watch all folders. */
  refused = false

  constructor(
    root: string,
    ignored: readonly string[],
    changes: PendingChanges,
    onChange: () => void,
  ) {
    this.#root = root
    this.#ignored = new Set(ignored)
    this.#changes = changes
    this.#onChange = onChange
  }

  /** Watches everything, from nothing. Blocks for a system call per folder. */
  begin(): void {
    this.close()
    this.lost = false
    this.refused = false
    this.#identity = identityOf(this.#root)
    this.#allMounts = allMounts()
    this.#mounts = mountsBelow(this.#root, this.#allMounts)
    this.#enter(this.#root, false)
  }

  /** Whether what it watches is still what is under the root's path. */
  get isCurrent(): boolean {
    return this.#identity !== '' && !this.isOutdated
  }

  /**
   * Whether to begin anew would find something else. No event tells that a root that had gone has come back, nor that something was mounted
   * over a folder.
   */
  get isOutdated(): boolean {
    if (this.lost || identityOf(this.#root) !== this.#identity) return true
    const mounts = allMounts()
    if (mounts === this.#allMounts) return false
    if (mountsBelow(this.#root, mounts) !== this.#mounts) return true
    this.#allMounts = mounts
    return false
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  /** Watches a folder and those in it. What it finds is reported unless this is the beginning. */
  #enter(folder: string, reported: boolean): void {
    try {
      // First the watch: what comes after the list is an event.
      const watcher = watch(folder, { persistent: false }, (event, name) =>
        this.#notice(folder, event, name),
      )
      watcher.on('error', () => this.#lose())
      this.#watchers.set(folder, watcher)
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name)
        if (reported) this.#changes.path(path)
        if (entry.isDirectory() && !this.#ignored.has(entry.name)) this.#enter(path, reported)
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // Gone again: its parent's event says so. Anything else leaves a folder that nothing is known of.
      if (code !== 'ENOENT' && code !== 'ENOTDIR') this.refused = true
    }
  }

  #notice(folder: string, event: string, name: string | null): void {
    if (this.#events++ === 0) setImmediate(() => (this.#events = 0))
    // The root itself went: another folder under its path may get the same inode.
    const rootWent = folder === this.#root && event === 'rename' && name === basename(folder)
    if (this.#events > BURST || rootWent) this.#lose()
    if (name === null) this.#changes.folder(folder)
    else if (event === 'change') this.#changes.path(join(folder, name))
    else this.#cameOrWent(join(folder, name), name)
    this.#onChange()
  }

  #cameOrWent(path: string, name: string): void {
    const known = this.#watchers.has(path)
    if (known) this.#leave(path)
    const stat = statOf(path)
    if (stat?.isDirectory() && !this.#ignored.has(name)) {
      // Also one that was watched: it may be another by the same name, or even by the same inode.
      this.#changes.folder(path)
      this.#enter(path, true)
    } else if (known || stat?.isSymbolicLink() || stat?.isDirectory()) this.#changes.folder(path)
    else this.#changes.path(path)
  }

  #leave(folder: string): void {
    const below = `${folder}/`
    for (const [path, watcher] of this.#watchers) {
      if (path !== folder && !path.startsWith(below)) continue
      watcher.close()
      this.#watchers.delete(path)
    }
  }

  #lose(): void {
    this.lost = true
    this.#changes.all('overflow')
    this.#onChange()
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch {
    // Part of it went, or may not be looked at: the next call for it will find out.
    return undefined
  }
}

/** Of the folder that a path leads to, as a link to it that is made anew may get the inode of the one before. */
function identityOf(path: string): string {
  try {
    const { dev, ino } = statSync(path)
    return `${dev}:${ino}`
  } catch {
    // Part of it went, or may not be looked at: nothing is watched then.
    return ''
  }
}

function queueLength(): number {
  try {
    return Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8')) || 16_384
  } catch {
    // Not Linux, or no /proc: the kernel's default.
    return 16_384
  }
}
