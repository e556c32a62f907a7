import { type Clock, systemClock, type Timer } from '../clock.ts'
import { InvalidOptionError } from '../errors.ts'
import { StoreClosedError, StoreUnavailableError } from './errors.ts'
import { type LifetimeOptions, Lifetimes } from './lifetimes.ts'
import { type EntryWrite, SqliteEntries } from './sqlite-entries.ts'
import { fileIdentity, isBusy, isCorruption, openDatabase, setAside } from './sqlite-file.ts'
import { originalKey, storableKey } from './storable-key.ts'
import type {
  Fence,
  Store,
  StoreCallOptions,
  StoreEntry,
  StoreItem,
  StoreSetOptions,
  StoreStats,
} from './store.ts'
import { StoreCounters } from './store-counters.ts'
import { type PackingOptions, ValuePacker } from './value-packer.ts'

/** A damaged file was found and set aside; the store goes on with a new, empty one. */
export interface SqliteProblem {
  readonly reason: 'corrupt'
  readonly path: string
  /** New name of the damaged file; `undefined` if another process had replaced it already. */
  readonly movedTo: string | undefined
  readonly cause: unknown
}

/** Options of a {@link SqliteStore}. */
export interface SqliteStoreOptions<V> extends LifetimeOptions, PackingOptions<V> {
  /** Database file, made with its folders if it does not exist; `:memory:` for one that goes with the process. */
  readonly path: string
  /** Packed bytes of keys and values kept at most, > 0; beyond, the least recently used values go. Default 256 MiB. */
  readonly maxBytes?: number
  /**
   * ms for which a call waits, blocking its thread, while another process writes; > 0. Default 5,000: other processes' writes
   * take well under a millisecond, so only one that hangs is ever waited for so long.
   */
  readonly busyTimeout?: number
  /** ms between removals of what is gone, > 0; Infinity for none, as reads never return it. Default 60,000. */
  readonly sweepInterval?: number
  /** Told of a damaged file. Default: a process warning with the code MILLRACE_STORE_CORRUPT. */
  readonly onProblem?: (problem: SqliteProblem) => void
  /** Source of time, in ms since 1970. Default: the system's. */
  readonly clock?: Clock
}

/** Counters of a {@link SqliteStore}. */
export interface SqliteStoreStats extends StoreStats {
  /** Values in the file, of all processes, gone ones not yet removed included. Counted by this call: O(entries). */
  readonly entries: number
  /** Packed bytes of keys and values in the file. */
  readonly bytes: number
  /** Damaged files set aside. */
  readonly setAside: number
}

/** Reads are noted in the file when so many keys are due, so that most reads write nothing. */
const TOUCHED_AT_MOST = 4_096
/** Part of `maxBytes` that eviction leaves, so that it does not run at every write. */
const EVICTION_TARGET = 0.9
const KEYS_PER_PAGE = 1_000

/**
 * A {@link Store} in a SQLite file that several processes may use at once. Calls run on the calling thread: a read takes about
 * 15 us, a write about 100, a `setMany` about 25 per value.
 *
 * A damaged file is renamed to `*.corrupt-TIME` and a new one begun. A lock held longer than `busyTimeout`, a full disk or a
 * file that cannot be opened is a {@link StoreUnavailableError}.
 */
export class SqliteStore<V = unknown> implements Store<V> {
  readonly path: string
  readonly #packer: ValuePacker<V>
  readonly #lifetimes: Lifetimes
  readonly #maxBytes: number
  readonly #busyTimeout: number
  readonly #sweepInterval: number
  readonly #onProblem: (problem: SqliteProblem) => void
  readonly #clock: Clock
  readonly #counters = new StoreCounters()
  readonly #touched = new Set<string>()
  #entries: SqliteEntries
  #identity: string | undefined
  /** At least what the file holds, other processes' latest writes aside. */
  #bytes: number
  /** Written by this process since {@link #bytes} was last counted. */
  #written = 0
  #setAside = 0
  #timer: Timer | undefined
  #closed = false

  /**
   * @throws {InvalidOptionError}
   * @throws {StoreUnavailableError} if the file cannot be opened or is another program's
   */
  constructor(options: SqliteStoreOptions<V>) {
    const {
      path,
      maxBytes = 256 * 1024 * 1024,
      busyTimeout = 5_000,
      sweepInterval = 60_000,
      onProblem = warn,
      clock = systemClock,
    } = options
    if (typeof path !== 'string' || path === '') {
      throw new InvalidOptionError('path', 'the path of a file', path)
    }
    for (const [name, value] of Object.entries({ maxBytes, busyTimeout, sweepInterval })) {
      if (!(value > 0)) throw new InvalidOptionError(name, 'a number > 0', value)
    }
    this.#packer = new ValuePacker(options)
    this.#lifetimes = new Lifetimes(options)
    this.path = path
    this.#maxBytes = maxBytes
    this.#busyTimeout = Math.min(busyTimeout, 2 ** 31 - 1)
    this.#sweepInterval = sweepInterval
    this.#onProblem = onProblem
    this.#clock = clock
    this.#entries = this.#open()
    this.#bytes = this.#attempt(entries => entries.totals().bytes)
    this.#scheduleSweep()
  }

  async fence({ signal }: StoreCallOptions = {}): Promise<Fence> {
    this.#enter(signal)
    return { epoch: this.#attempt(entries => entries.epoch()), at: this.#clock.now() }
  }

  async get(key: string, { signal }: StoreCallOptions = {}): Promise<StoreEntry<V> | undefined> {
    this.#enter(signal)
    return this.#read(key)
  }

  async getMany(
    keys: readonly string[],
    { signal }: StoreCallOptions = {},
  ): Promise<(StoreEntry<V> | undefined)[]> {
    this.#enter(signal)
    return keys.map(key => this.#read(key))
  }

  async set(
    key: string,
    value: V,
    options: StoreSetOptions & StoreCallOptions = {},
  ): Promise<boolean> {
    const [stored] = await this.setMany([{ ...options, key, value }], options)
    return stored!
  }

  async setMany(
    items: readonly StoreItem<V>[],
    { signal }: StoreCallOptions = {},
  ): Promise<boolean[]> {
    this.#enter(signal)
    if (items.length === 0) return []
    const now = this.#clock.now()
    const writes = items.map((item): EntryWrite => {
      const { expires, retained } = this.#lifetimes.of(item, now)
      const { key, value, tags = [], fence } = item
      const packed = this.#packer.pack(value)
      const epoch = fence?.epoch
      return { key: storableKey(key), value: packed, expires, retained, tags, epoch }
    })
    const stored = this.#atomically(entries => writes.map(write => entries.write(write, now)))
    for (const [index, { key, value }] of writes.entries()) {
      if (stored[index]) {
        this.#counters.writes++
        this.#written += value.length + 2 * key.length
      } else this.#counters.refused++
    }
    if (this.#bytes + this.#written > this.#maxBytes) this.#evict()
    return stored
  }

  async delete(key: string, options: StoreCallOptions = {}): Promise<boolean> {
    return (await this.deleteMany([key], options)) === 1
  }

  async deleteMany(keys: readonly string[], { signal }: StoreCallOptions = {}): Promise<number> {
    this.#enter(signal)
    if (keys.length === 0) return 0
    const now = this.#clock.now()
    const deleted = this.#atomically(
      entries => keys.filter(key => entries.remove(storableKey(key), now)).length,
    )
    this.#counters.deletes += deleted
    return deleted
  }

  async expire(key: string, { signal }: StoreCallOptions = {}): Promise<boolean> {
    this.#enter(signal)
    const now = this.#clock.now()
    const expired = this.#atomically(entries => entries.expire(storableKey(key), now))
    if (expired) this.#counters.deletes++
    return expired
  }

  async deleteTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    this.#enter(signal)
    this.#atomically(entries => entries.invalidateTag(tag, false))
  }

  async expireTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    this.#enter(signal)
    this.#atomically(entries => entries.invalidateTag(tag, true))
  }

  async clear({
    expire = false,
    signal,
  }: { readonly expire?: boolean } & StoreCallOptions = {}): Promise<void> {
    this.#enter(signal)
    this.#atomically(entries => entries.clear(expire))
    if (expire) return
    this.#bytes = 0
    this.#written = 0
    this.#attempt(entries => entries.shrink())
  }

  async *keys({
    prefix = '',
    signal,
  }: { readonly prefix?: string } & StoreCallOptions = {}): AsyncGenerator<
    string,
    void,
    undefined
  > {
    let last: string | undefined
    for (;;) {
      this.#enter(signal)
      const now = this.#clock.now()
      const page = this.#attempt(entries =>
        entries
          .keysAfter(last, KEYS_PER_PAGE, now)
          .map(stored => ({ stored, live: entries.read(stored, now) !== undefined })),
      )
      for (const { stored, live } of page) {
        const key = originalKey(stored)
        if (live && key.startsWith(prefix)) yield key
      }
      if (page.length < KEYS_PER_PAGE) return
      last = page.at(-1)!.stored
    }
  }

  stats(): SqliteStoreStats {
    const totals = this.#closed
      ? { entries: 0, bytes: 0 }
      : this.#attempt(entries => entries.totals())
    return { ...this.#counters.snapshot(), ...totals, setAside: this.#setAside }
  }

  /** Removes what is gone by time or tag, and evicts if the file holds too much; runs by itself every `sweepInterval`. */
  sweep(): void {
    this.#enter(undefined)
    const now = this.#clock.now()
    this.#atomically(entries => {
      entries.touch(this.#touched, now)
      entries.sweep(now)
    })
    this.#touched.clear()
    this.#evict()
    this.#attempt(entries => entries.shrink())
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#timer?.cancel()
    try {
      this.#flushTouched()
    } finally {
      this.#closed = true
      this.#entries.close()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #enter(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    if (this.#closed) throw new StoreClosedError()
  }

  #read(key: string): StoreEntry<V> | undefined {
    const stored = storableKey(key)
    const row = this.#attempt(entries => entries.read(stored, this.#clock.now()))
    if (row === undefined) {
      this.#counters.misses++
      return undefined
    }
    const { version, expires, retained } = row
    try {
      const value = this.#packer.unpack(row.value)
      const tags = row.tags === null ? [] : (JSON.parse(row.tags) as string[])
      this.#counters.hits++
      this.#touched.add(stored)
      if (this.#touched.size >= TOUCHED_AT_MOST) this.#flushTouched()
      return { value, expires, retained, version, tags }
    } catch (error) {
      if (error instanceof StoreUnavailableError) throw error
      this.#counters.misses++
      this.#counters.corrupt++
      this.#attempt(entries => entries.discard(stored, version))
      return undefined
    }
  }

  #flushTouched(): void {
    if (this.#touched.size === 0) return
    const now = this.#clock.now()
    this.#atomically(entries => entries.touch(this.#touched, now))
    this.#touched.clear()
  }

  #evict(): void {
    this.#flushTouched()
    this.#atomically(entries => {
      const { bytes } = entries.totals()
      this.#bytes = bytes
      this.#written = 0
      if (bytes <= this.#maxBytes) return
      this.#counters.evictions += entries.evictTo(this.#maxBytes * EVICTION_TARGET)
      this.#bytes = entries.totals().bytes
    })
  }

  #scheduleSweep(): void {
    if (this.#sweepInterval === Infinity) return
    this.#timer = this.#clock.setTimer(() => {
      try {
        this.sweep()
      } catch (error) {
        // The next one will do: what is gone is not returned meanwhile.
        if (!(error instanceof StoreUnavailableError)) throw error
      }
      this.#scheduleSweep()
    }, this.#sweepInterval)
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
      this.#identity = fileIdentity(this.path)
      this.#moveAside(error)
    }
    try {
      return this.#openOnce()
    } catch (error) {
      throw this.#translated(error)
    }
  }

  #openOnce(): SqliteEntries {
    const entries = new SqliteEntries(openDatabase(this.path, this.#busyTimeout))
    this.#identity = fileIdentity(this.path)
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
    // Another process may have met the damage first and put a good file in its place.
    const same = fileIdentity(this.path) === this.#identity && this.#identity !== undefined
    const movedTo = same ? setAside(this.path) : undefined
    this.#setAside++
    this.#onProblem({ reason: 'corrupt', path: this.path, movedTo, cause })
  }

  /** SQLite's own errors as ours; whatever a codec or a caller's function threw stays as it is. */
  #translated(error: unknown): unknown {
    if ((error as { code?: unknown }).code !== 'ERR_SQLITE_ERROR') return error
    const problem = isBusy(error)
      ? `was locked by another process for more than ${this.#busyTimeout} ms`
      : `failed: ${(error as Error).message}`
    return new StoreUnavailableError(this.path, problem, { cause: error })
  }
}

function warn({ path, movedTo }: SqliteProblem): void {
  const where = movedTo === undefined ? 'it had been replaced already' : `it is now ${movedTo}`
  process.emitWarning(`The cache file ${path} is damaged; ${where}, and a new one is begun`, {
    code: 'MILLRACE_STORE_CORRUPT',
  })
}
