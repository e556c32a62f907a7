import { resolve } from 'node:path'
import type { StoredValue, StoredWrite, SweptBackend } from '../backend.ts'
import { StoreUnavailableError } from '../contract/errors.ts'
import { originalKey, storableKey } from '../format/storable-key.ts'
import type { SteadyClock } from '../steady-clock.ts'
import type { StoreCounters } from '../store-counters.ts'
import { FileWatch } from './file-watch.ts'
import { unsealed } from './row-checksum.ts'
import { type EntryRow, type EntryWrite, SqliteEntries } from './sqlite-entries.ts'
import {
  fileIdentity,
  isBusy,
  isCorruption,
  openDatabase,
  removeDatabase,
  setAside,
} from './sqlite-file.ts'

/** The store went on with a new, empty file, or with one that another process had begun. */
export interface SqliteProblem {
  /** - `corrupt`: the file was damaged - `removed`: it, or a file beside it, was removed or replaced while it was open */
  readonly reason: 'corrupt' | 'removed'
  readonly path: string
  /** New name of the damaged file; `undefined` if it was removed, or another process had replaced it already. */
  readonly movedTo: string | undefined
  readonly cause: unknown
}

/** Where the values are, and their limits. */
interface SqliteBackendOptions {
  readonly path: string
  readonly maxBytes: number
  readonly busyTimeout: number
  readonly onProblem: (problem: SqliteProblem) => void
  readonly clock: SteadyClock
}

/** Reads are noted in the file when so many keys are due, so that most reads write nothing. */
const TOUCHED_AT_MOST = 4_096
/** Part of `maxBytes` that eviction leaves, so that it does not run at every write. */
const EVICTION_TARGET = 0.9
const KEYS_PER_PAGE = 1_000
/** How often the file may be found replaced within one call before that is an error. */
const REPLACEMENTS_AT_MOST = 3

/** Values in a SQLite file, which is opened anew when it turns out to be damaged, removed or replaced. */
export class SqliteBackend implements SweptBackend {
  readonly #options: SqliteBackendOptions
  /** Independent of later changes of the working directory. */
  readonly #path: string
  readonly #counters: StoreCounters
  readonly #touched = new Set<string>()
  #entries: SqliteEntries
  #identity: string | undefined
  #watch: FileWatch | undefined
  /** At least what the file holds, other processes' latest writes aside. */
  #bytes = 0
  /** Written by this process since {@link #bytes} was last counted. */
  #written = 0
  /** Damaged files set aside. */
  setAside = 0

  /** @throws {StoreUnavailableError} if the file cannot be opened or is another program's */
  constructor(options: SqliteBackendOptions, counters: StoreCounters) {
    this.#options = options
    this.#path = options.path === ':memory:' ? options.path : resolve(options.path)
    this.#counters = counters
    this.#entries = this.#open()
    this.#bytes = this.totals().bytes
  }

  epoch(): number {
    return this.#attempt(entries => entries.epoch())
  }

  read(key: string, now: number): StoredValue | undefined {
    const stored = storableKey(key)
    return this.#taken(
      stored,
      this.#attempt(entries => entries.read(stored, now)),
      now,
    )
  }

  readMany(keys: readonly string[], now: number): (StoredValue | undefined)[] {
    if (keys.length === 1) return [this.read(keys[0]!, now)]
    const stored = keys.map(storableKey)
    const rows = this.#attempt(entries =>
      entries.snapshot(() => stored.map(key => entries.read(key, now))),
    )
    return rows.map((row, index) => this.#taken(stored[index]!, row, now))
  }

  write(writes: readonly StoredWrite[], now: number): boolean[] {
    const { maxBytes } = this.#options
    const rows = writes.map(
      ({ key, packed, fence, tags, expires, retained }): EntryWrite => ({
        key: storableKey(key),
        value: packed,
        size: packed.length + 2 * key.length,
        expires,
        retained,
        tags: tags.length === 0 ? null : JSON.stringify(tags.map(storableKey)),
        epoch: fence?.epoch,
      }),
    )
    const written = this.#atomically(entries =>
      rows.map(row => {
        if (row.size <= maxBytes) return entries.write(row, now)
        entries.refuse(row, now)
        return false
      }),
    )
    for (const [index, { size }] of rows.entries()) if (written[index]) this.#written += size
    if (this.#bytes + this.#written <= maxBytes) return written
    // The values are stored; the limit is kept by the next write or sweep that gets through.
    this.#keepHouse(() => this.#evict())
    return rows.map(({ key }, index) => written[index]! && this.#keeps(key, now))
  }

  invalidate(keys: readonly string[], expire: boolean, now: number): number {
    return this.#atomically(
      entries => keys.filter(key => entries.invalidate(storableKey(key), expire, now)).length,
    )
  }

  invalidateTag(tag: string, expire: boolean): void {
    this.#atomically(entries => entries.invalidateTag(storableKey(tag), expire))
  }

  clear(expire: boolean): void {
    this.#atomically(entries => entries.clear(expire))
    if (expire) return
    this.#bytes = 0
    this.#written = 0
    this.#keepHouse(() => this.#attempt(entries => entries.shrink()))
  }

  *keys(now: number): Generator<string, void, undefined> {
    let last: string | undefined
    for (;;) {
      const page = this.#attempt(entries => entries.keysAfter(last, KEYS_PER_PAGE, now))
      for (const stored of page) yield originalKey(stored)
      if (page.length < KEYS_PER_PAGE) return
      last = page.at(-1)!
    }
  }

  discard(key: string, { version }: StoredValue): void {
    this.#discard(storableKey(key), version)
  }

  #discard(stored: string, version: number): void {
    // It has been counted as a miss; if it cannot be removed now, the next reader will try.
    this.#keepHouse(() => this.#atomically(entries => entries.discard(stored, version)))
  }

  totals(): { entries: number; bytes: number } {
    return this.#attempt(entries => entries.totals())
  }

  /** Removes what is gone by time or tag, and evicts if the file holds too much. */
  sweep(now: number): void {
    this.#atomically(entries => {
      entries.touch(this.#touched, now)
      entries.sweep(now)
    })
    this.#touched.clear()
    this.#evict()
    this.#attempt(entries => entries.shrink())
  }

  close(): void {
    try {
      // Helps evictions, and the time of the next process; needed for neither.
      this.#keepHouse(() => this.#noteUses())
    } finally {
      this.#entries.close()
    }
  }

  /** A row that was read, noted as used. */
  #taken(stored: string, row: EntryRow | undefined, now: number): StoredValue | undefined {
    if (row === undefined) return undefined
    const { version, expires, retained, used, tags } = row
    const value = unsealed(row.value, { key: stored, tags, version, expires, retained })
    if (value === undefined) {
      this.#counters.corrupt++
      this.#discard(stored, version)
      return undefined
    }
    if (used > now) {
      this.#options.clock.reach(used)
      if (retained <= used) return undefined
    }
    this.#touched.add(stored)
    if (this.#touched.size >= TOUCHED_AT_MOST) {
      this.#keepHouse(() => this.#noteUses())
      // If that failed, what is least recently used is known a little less well.
      this.#touched.clear()
    }
    const names = tags === null ? NO_TAGS : (JSON.parse(tags) as string[]).map(originalKey)
    return { version, expires, retained, packed: value, tags: names }
  }

  /** Whether an eviction left what was just written: a batch may be larger than the store. */
  #keeps(stored: string, now: number): boolean {
    return this.#attempt(entries => entries.read(stored, now)) !== undefined
  }

  #noteUses(): void {
    const now = this.#options.clock.now()
    this.#atomically(entries => entries.touch(this.#touched, now))
    this.#touched.clear()
  }

  #evict(): void {
    const { maxBytes, clock } = this.#options
    const now = clock.now()
    this.#atomically(entries => {
      // Before what is written now, which is to be the last to go.
      entries.touch(this.#touched, now - 1)
      const { bytes } = entries.totals()
      this.#bytes = bytes
      this.#written = 0
      if (bytes <= maxBytes) return
      this.#counters.evictions += entries.evictTo(maxBytes * EVICTION_TARGET)
      this.#bytes = entries.totals().bytes
    })
    this.#touched.clear()
  }

  /** Does what can wait: a file that cannot be written now does not fail a call whose own work is done. */
  #keepHouse(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
    }
  }

  #atomically<T>(work: (entries: SqliteEntries) => T): T {
    return this.#attempt(entries => entries.transaction(() => work(entries)))
  }

  /**
   * Runs `work`; if the file turns out to be damaged, or no longer to be the one under its name, again on the one that is there then.
   * Looking afterwards, not before, makes what is returned true at a moment at which the file was in place.
   */
  #attempt<T>(work: (entries: SqliteEntries) => T): T {
    for (let replaced = 0; ; replaced++) {
      const entries = this.#entries
      try {
        const result = work(entries)
        if (this.#watch === undefined || this.#watch.holds()) return result
        if (replaced === REPLACEMENTS_AT_MOST) {
          throw new StoreUnavailableError(this.#path, 'is removed again and again')
        }
        this.#reopen()
      } catch (error) {
        if (!isCorruption(error) || replaced !== 0) throw this.#translated(error)
        this.#replace(error)
      }
    }
  }

  #open(): SqliteEntries {
    try {
      return this.#openOnce()
    } catch (error) {
      if (!isCorruption(error)) throw this.#translated(error)
      this.#identity = fileIdentity(this.#path)
      this.#moveAside(error)
    }
    try {
      return this.#openOnce()
    } catch (error) {
      throw this.#translated(error)
    }
  }

  #openOnce(): SqliteEntries {
    const { busyTimeout, clock } = this.#options
    const database = openDatabase(this.#path, busyTimeout, clock.now())
    const entries = new SqliteEntries(database)
    clock.reach(entries.time())
    if (this.#path === ':memory:') return entries
    this.#identity = fileIdentity(this.#path)
    this.#watch = new FileWatch(this.#path)
    return entries
  }

  /** The file was removed or replaced, perhaps by another process that goes on with a new one already. */
  #reopen(): void {
    const path = this.#path
    // Where only a file beside it is gone, another process may go on writing that one, unseen, and two of those would damage the file.
    if (fileIdentity(path) === this.#identity) removeDatabase(path)
    this.#closeLost()
    this.#entries = this.#open()
    this.#bytes = this.#entries.totals().bytes
    this.#options.onProblem({ reason: 'removed', path, movedTo: undefined, cause: undefined })
  }

  #replace(cause: unknown): void {
    this.#closeLost()
    this.#moveAside(cause)
    this.#entries = this.#open()
  }

  #closeLost(): void {
    this.#entries.close()
    this.#touched.clear()
    this.#bytes = 0
    this.#written = 0
  }

  #moveAside(cause: unknown): void {
    const path = this.#path
    // Another process may have met the damage first and put a good file in its place.
    const same = fileIdentity(path) === this.#identity && this.#identity !== undefined
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

const NO_TAGS: readonly string[] = []
