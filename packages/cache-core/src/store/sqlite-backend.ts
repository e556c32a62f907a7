import type { StoredValue, StoredWrite, SweptBackend } from './backend.ts'
import { StoreUnavailableError } from './errors.ts'
import { type EntryWrite, SqliteEntries } from './sqlite-entries.ts'
import { fileIdentity, isBusy, isCorruption, openDatabase, setAside } from './sqlite-file.ts'
import { originalKey, storableKey } from './storable-key.ts'
import type { StoreCounters } from './store-counters.ts'

/** A damaged file was found and set aside; the store goes on with a new, empty one. */
export interface SqliteProblem {
  readonly reason: 'corrupt'
  readonly path: string
  /** New name of the damaged file; `undefined` if another process had replaced it already. */
  readonly movedTo: string | undefined
  readonly cause: unknown
}

/** Where the values are, and their limits. */
interface SqliteBackendOptions {
  readonly path: string
  readonly maxBytes: number
  readonly busyTimeout: number
  readonly onProblem: (problem: SqliteProblem) => void
}

/** Reads are noted in the file when so many keys are due, so that most reads write nothing. */
const TOUCHED_AT_MOST = 4_096
/** Part of `maxBytes` that eviction leaves, so that it does not run at every write. */
const EVICTION_TARGET = 0.9
const KEYS_PER_PAGE = 1_000

/** Values in a SQLite file, replaced by a new one when it turns out to be damaged. */
export class SqliteBackend implements SweptBackend {
  readonly #options: SqliteBackendOptions
  readonly #counters: StoreCounters
  readonly #touched = new Set<string>()
  #entries: SqliteEntries
  #identity: string | undefined
  /** At least what the file holds, other processes' latest writes aside. */
  #bytes: number
  /** Written by this process since {@link #bytes} was last counted. */
  #written = 0
  #lastRead = 0
  /** Damaged files set aside. */
  setAside = 0

  /** @throws {StoreUnavailableError} if the file cannot be opened or is another program's */
  constructor(options: SqliteBackendOptions, counters: StoreCounters) {
    this.#options = options
    this.#counters = counters
    this.#entries = this.#open()
    this.#bytes = this.totals().bytes
  }

  epoch(): number {
    return this.#attempt(entries => entries.epoch())
  }

  read(key: string, now: number): StoredValue | undefined {
    const stored = storableKey(key)
    const row = this.#attempt(entries => entries.read(stored, now))
    if (row === undefined) return undefined
    this.#lastRead = now
    this.#touched.add(stored)
    if (this.#touched.size >= TOUCHED_AT_MOST) this.#flushTouched()
    const { value, tags, ...lives } = row
    return { ...lives, packed: value, tags: tags === null ? [] : (JSON.parse(tags) as string[]) }
  }

  write(writes: readonly StoredWrite[], now: number): boolean[] {
    const rows = writes.map(
      ({ key, packed, fence, ...rest }): EntryWrite => ({
        ...rest,
        key: storableKey(key),
        value: packed,
        epoch: fence?.epoch,
      }),
    )
    const written = this.#atomically(entries => rows.map(row => entries.write(row, now)))
    for (const [index, { key, value }] of rows.entries()) {
      if (written[index]) this.#written += value.length + 2 * key.length
    }
    if (this.#bytes + this.#written > this.#options.maxBytes) this.#evict()
    return written
  }

  remove(keys: readonly string[], now: number): number {
    return this.#atomically(
      entries => keys.filter(key => entries.remove(storableKey(key), now)).length,
    )
  }

  expire(key: string, now: number): boolean {
    return this.#atomically(entries => entries.expire(storableKey(key), now))
  }

  invalidateTag(tag: string, expire: boolean): void {
    this.#atomically(entries => entries.invalidateTag(tag, expire))
  }

  clear(expire: boolean): void {
    this.#atomically(entries => entries.clear(expire))
    if (expire) return
    this.#bytes = 0
    this.#written = 0
    this.#attempt(entries => entries.shrink())
  }

  *keys(now: number): Generator<string, void, undefined> {
    let last: string | undefined
    for (;;) {
      const page = this.#attempt(entries =>
        entries
          .keysAfter(last, KEYS_PER_PAGE, now)
          .map(stored => ({ stored, live: entries.read(stored, now) !== undefined })),
      )
      for (const { stored, live } of page) if (live) yield originalKey(stored)
      if (page.length < KEYS_PER_PAGE) return
      last = page.at(-1)!.stored
    }
  }

  discard(key: string, { version }: StoredValue): void {
    this.#atomically(entries => entries.discard(storableKey(key), version))
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
      this.#flushTouched()
    } finally {
      this.#entries.close()
    }
  }

  #flushTouched(): void {
    if (this.#touched.size === 0) return
    this.#atomically(entries => entries.touch(this.#touched, this.#lastRead))
    this.#touched.clear()
  }

  #evict(): void {
    const { maxBytes } = this.#options
    this.#flushTouched()
    this.#atomically(entries => {
      const { bytes } = entries.totals()
      this.#bytes = bytes
      this.#written = 0
      if (bytes <= maxBytes) return
      this.#counters.evictions += entries.evictTo(maxBytes * EVICTION_TARGET)
      this.#bytes = entries.totals().bytes
    })
  }

  #atomically<T>(work: (entries: SqliteEntries) => T): T {
    return this.#attempt(entries => entries.transaction(() => work(entries)))
  }

  /** Runs `work`; if the file turns out to be damaged, once more on a new one. */
  #attempt<T>(work: (entries: SqliteEntries) => T): T {
    try {
      return work(this.#entries)
    } catch (error) {
      if (!isCorruption(error)) throw this.#translated(error)
      this.#replace(error)
    }
    try {
      return work(this.#entries)
    } catch (error) {
      throw this.#translated(error)
    }
  }

  #open(): SqliteEntries {
    try {
      return this.#openOnce()
    } catch (error) {
      if (!isCorruption(error)) throw this.#translated(error)
      this.#identity = fileIdentity(this.#options.path)
      this.#moveAside(error)
    }
    try {
      return this.#openOnce()
    } catch (error) {
      throw this.#translated(error)
    }
  }

  #openOnce(): SqliteEntries {
    const { path, busyTimeout } = this.#options
    const entries = new SqliteEntries(openDatabase(path, busyTimeout))
    this.#identity = fileIdentity(path)
    return entries
  }

  #replace(cause: unknown): void {
    this.#entries.close()
    this.#moveAside(cause)
    this.#bytes = 0
    this.#written = 0
    this.#entries = this.#open()
  }

  #moveAside(cause: unknown): void {
    const { path, onProblem } = this.#options
    // Another process may have met the damage first and put a good file in its place.
    const same = fileIdentity(path) === this.#identity && this.#identity !== undefined
    const movedTo = same ? setAside(path) : undefined
    this.setAside++
    onProblem({ reason: 'corrupt', path, movedTo, cause })
  }

  /** SQLite's own errors as ours; whatever a caller's function threw stays as it is. */
  #translated(error: unknown): unknown {
    if ((error as { code?: unknown }).code !== 'ERR_SQLITE_ERROR') return error
    const { path, busyTimeout } = this.#options
    const problem = isBusy(error)
      ? `was locked by another process for more than ${busyTimeout} ms`
      : `failed: ${(error as Error).message}`
    return new StoreUnavailableError(path, problem, { cause: error })
  }
}
