import { resolve } from 'node:path'
import { StoreUnavailableError } from '../contract/errors.ts'
import type { SteadyClock } from '../steady-clock.ts'
import { FileWatch, untilNoticed } from './file-watch.ts'
import { SqliteEntries } from './sqlite-entries.ts'
import {
  fileIdentity,
  isBusy,
  isCorruption,
  isCutShort,
  isLoss,
  makeFile,
  openDatabase,
  removeDatabase,
  setAside,
  wipeDatabase,
} from './sqlite-file.ts'

/** The store went on with a new, empty file, or with one that another process had begun. */
export interface SqliteProblem {
  /** - `corrupt`: the file was damaged - `removed`: it, or a file beside it, was removed, replaced or cut short while it was open */
  readonly reason: 'corrupt' | 'removed'
  readonly path: string
  /** New name of the damaged file; `undefined` if it was removed, or another process had replaced it already. */
  readonly movedTo: string | undefined
  readonly cause: unknown
}

/** Which file, and who is told what happens to it. */
export interface SqliteHandleOptions {
  readonly path: string
  readonly busyTimeout: number
  readonly clock: SteadyClock
  readonly onProblem: (problem: SqliteProblem) => void
  /** A file was opened, the first one or another one: what was known of its content holds no more. */
  readonly onOpen: () => void
}

/** How often the file may be found replaced within one call before that is an error. */
const REPLACEMENTS_AT_MOST = 3

/** An open SQLite file, which is opened anew when it turns out to be damaged, removed or replaced, and by the next call if that failed. */
export class SqliteHandle {
  readonly #options: SqliteHandleOptions
  /** Independent of later changes of the working directory. */
  readonly #path: string
  /** `undefined` until the next call opens the file. */
  #entries: SqliteEntries | undefined
  #identity: string | undefined
  #watch: FileWatch | undefined
  /** A file was given up that was not damaged, which was not told yet. */
  #removed = false
  /** The latest epoch of the files that were given up. */
  #epoch = 0
  /** Damaged files set aside. */
  setAside = 0
  /** Whether a call changed what others go by. */
  changed = false

  constructor(options: SqliteHandleOptions) {
    this.#options = options
    this.#path = options.path === ':memory:' ? options.path : resolve(options.path)
  }

  /**
   * Runs `work`, which changes nothing that others go by; if the file turns out to be damaged, or no longer to be the one under its name, again on the one that
   * is there then.
   *
   * @throws {StoreUnavailableError} if the file cannot be used
   */
  read<T>(work: (entries: SqliteEntries) => T): T {
    return this.#run(work, false)
  }

  /** As {@link read}, for one statement that changes what others go by. */
  step<T>(work: (entries: SqliteEntries) => T): T {
    return this.#run(work, true)
  }

  /** As {@link step}, for several, in a transaction that others wait for. */
  change<T>(work: (entries: SqliteEntries) => T): T {
    return this.#run(entries => entries.transaction(() => work(entries)), true)
  }

  #run<T>(work: (entries: SqliteEntries) => T, changes: boolean): T {
    this.changed ||= changes
    try {
      return this.#attempt(work, changes)
    } catch (error) {
      throw this.#translated(error)
    }
  }

  /**
   * Begins anew with an empty file, where there is no room on the disk to empty this one. Others who have it open do so, too.
   *
   * @throws {StoreUnavailableError} if the file cannot be used
   */
  startAnew(): void {
    try {
      this.#letGo(wipeDatabase)
      this.#removed = false
      this.#opened()
    } catch (error) {
      throw this.#translated(error)
    }
  }

  close(): void {
    this.#entries?.close()
    this.#entries = undefined
    this.#watch = undefined
  }

  #attempt<T>(work: (entries: SqliteEntries) => T, changes: boolean): T {
    let damaged = false
    for (let replaced = 0; replaced <= REPLACEMENTS_AT_MOST; replaced++) {
      try {
        const entries = this.#opened()
        if (this.#isWhole(entries)) {
          const result = work(entries)
          // Looking afterwards, not before, makes the result true at a moment at which the file was in place.
          if (changes ? this.#holds() : this.#heldForRead()) return result
        }
      } catch (error) {
        if (isCorruption(error) && !damaged) {
          damaged = true
          this.#moveAside(error)
          continue
        }
        const replaceable = isLoss(error) && replaced < REPLACEMENTS_AT_MOST
        const useless = isCutShort(error)
        if (!replaceable || (this.#entries !== undefined && !useless && this.#holds())) throw error
        if (useless) this.#remove()
      }
      this.#letGo()
    }
    throw new StoreUnavailableError(this.#path, 'is removed again and again')
  }

  #isWhole(entries: SqliteEntries): boolean {
    return this.#watch === undefined || this.#watch.isWhole(() => entries.upkeep.logBytes())
  }

  #holds(): boolean {
    return this.#watch === undefined || this.#watch.holds()
  }

  #heldForRead(): boolean {
    return this.#watch === undefined || this.#watch.heldForRead()
  }

  #opened(): SqliteEntries {
    if (this.#entries !== undefined) return this.#entries
    const { busyTimeout, clock, onOpen, onProblem } = this.#options
    const path = this.#path
    this.#identity = path === ':memory:' ? undefined : makeFile(path)
    const placed = performance.now()
    const database = openDatabase(path, busyTimeout, clock.now())
    let entries: SqliteEntries
    try {
      entries = new SqliteEntries(database)
      entries.upkeep.verify()
      clock.reach(entries.upkeep.time())
      goOn(clock, entries)
      this.#outdate(entries)
      onOpen()
      // Of the file that was there before, so that one which another process replaced meanwhile is not taken for the one that is open.
      if (this.#identity !== undefined) {
        this.#watch = new FileWatch(path, this.#identity)
        untilNoticed(placed)
      }
    } catch (error) {
      database.close()
      throw error
    }
    this.#entries = entries
    if (this.#removed) {
      this.#removed = false
      onProblem({ reason: 'removed', path, movedTo: undefined, cause: undefined })
    }
    return entries
  }

  /** A file that knows less than the one before it is an older state of that. */
  #outdate(entries: SqliteEntries): void {
    const known = this.#epoch
    if (entries.epoch() >= known) return
    entries.transaction(() => {
      if (entries.epoch() < known) entries.startOver(known)
    })
  }

  /** The file was removed, replaced or cut short, perhaps by another process that goes on with a new one already. */
  #letGo(remove?: (path: string) => void): void {
    // One that could not be opened was never in use.
    if (this.#entries === undefined) return
    this.#epoch = Math.max(this.#epoch, epochOf(this.#entries))
    // Where only a file beside it is gone, another process may go on writing that one, unseen, and two of those would damage the file.
    this.#remove(remove)
    this.#removed = true
    this.close()
  }

  /** Unless another one has taken its place. */
  #remove(remove: (path: string) => void = removeDatabase): void {
    if (fileIdentity(this.#path) === this.#identity) remove(this.#path)
  }

  #moveAside(cause: unknown): void {
    const path = this.#path
    this.close()
    // Another process may have met the damage first and put a good file in its place.
    const same = this.#identity !== undefined && fileIdentity(path) === this.#identity
    const movedTo = same ? setAside(path) : undefined
    this.setAside++
    this.#options.onProblem({ reason: 'corrupt', path, movedTo, cause })
  }

  /** SQLite's and the file system's errors as ours; whatever a caller's function threw stays as it is. */
  #translated(error: unknown): unknown {
    const { code, syscall, message } = error as NodeJS.ErrnoException
    if (code !== 'ERR_SQLITE_ERROR' && syscall === undefined) return error
    const problem = isBusy(error)
      ? `was locked by another process for more than ${this.#options.busyTimeout} ms`
      : `failed: ${message}`
    return new StoreUnavailableError(this.#options.path, problem, { cause: error })
  }
}

/** Goes on with the lead that is noted, or notes it in a file that does not know of it. */
function goOn(clock: SteadyClock, entries: SqliteEntries): void {
  const noted = entries.upkeep.lead()
  clock.follow(noted)
  if (clock.lead > noted) entries.transaction(() => entries.upkeep.noteLead(clock.lead))
}

/** What a file that was removed or replaced had reached; 0 if it cannot be read any more. */
function epochOf(entries: SqliteEntries): number {
  try {
    return entries.epoch()
  } catch {
    return 0
  }
}
