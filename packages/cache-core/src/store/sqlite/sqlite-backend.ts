import type { Looked, StoredValue, StoredWrite, SweptBackend } from '../backend.ts'
import { StoreUnavailableError } from '../contract/errors.ts'
import { originalKey, storableKey } from '../format/storable-key.ts'
import type { SteadyClock } from '../steady-clock.ts'
import type { StoreCounters } from '../store-counters.ts'
import type { EntryRow, EntryWrite } from './entry-rows.ts'
import { unsealed } from './row-checksum.ts'
import { isFull, sizeOf } from './sqlite-file.ts'
import { SqliteHandle, type SqliteProblem } from './sqlite-handle.ts'

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
/**
 * A use is not noted again for so many ms while there is room for as much again as is held: nothing will be evicted by so small a difference, and
 * who only reads what was used lately need not write. As often as the time is noted by sweeps.
 */
const USES_HOLD = 60_000
/** Part of `maxBytes` up to which there is that much room. */
const ROOMY = 0.5
/** Part of `maxBytes` that eviction leaves, so that it does not run at every write. */
const EVICTION_TARGET = 0.9
const KEYS_PER_PAGE = 1_000

/** Values in a SQLite file, which is kept open by a {@link SqliteHandle}. */
export class SqliteBackend implements SweptBackend {
  readonly #options: SqliteBackendOptions
  readonly #counters: StoreCounters
  readonly #touched = new Set<string>()
  readonly #handle: SqliteHandle
  /** At least what the file holds, other processes' latest writes aside; `undefined` until it is counted, as who only reads need not know. */
  #bytes: number | undefined
  /** In bytes, when it was opened. */
  #fileSize = Infinity
  /** Written by this process since {@link #bytes} was last counted. */
  #written = 0

  /** @throws {StoreUnavailableError} if the file cannot be opened or is another program's */
  constructor(options: SqliteBackendOptions, counters: StoreCounters) {
    this.#options = options
    this.#counters = counters
    this.#handle = new SqliteHandle({ ...options, onOpen: () => this.#begin() })
    // Now, so that a file that cannot be used is the constructor's error.
    this.epoch()
    // If it cannot be noted now, the next sweep will.
    options.clock.watchLead(() => this.#keepHouse(() => this.#noteUses()))
  }

  /** Damaged files set aside. */
  get setAside(): number {
    return this.#handle.setAside
  }

  epoch(): number {
    return this.#handle.read(entries => entries.epoch())
  }

  read(key: string, now: number): StoredValue | undefined {
    const stored = storableKey(key)
    return this.#taken(
      stored,
      this.#handle.read(entries => entries.read(stored, now)),
      now,
    )
  }

  readMany(keys: readonly string[], now: number): (StoredValue | undefined)[] {
    const stored = keys.map(storableKey)
    const rows = this.#handle.read(entries => entries.readMany(stored, now))
    return rows.map((row, index) => this.#taken(stored[index]!, row, now))
  }

  lookup(keys: readonly string[], now: number): Looked {
    const stored = keys.map(storableKey)
    const { epoch, rows } = this.#handle.read(entries => entries.lookup(stored, now))
    return { epoch, found: rows.map((row, index) => this.#taken(stored[index]!, row, now)) }
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
    const written = this.#writeRows(rows, now)
    for (const [index, { size }] of rows.entries()) if (written[index]) this.#written += size
    if (this.#bytes === undefined) this.#keepHouse(() => this.#count())
    if ((this.#bytes ?? 0) + this.#written <= maxBytes) return written
    // The values are stored; the limit is kept by the next write or sweep that gets through.
    this.#keepHouse(() => this.#evict())
    return rows.map(({ key }, index) => written[index]! && this.#keeps(key, now))
  }

  invalidate(keys: readonly string[], expire: boolean, now: number): number {
    return this.#handle.change(
      entries => keys.filter(key => entries.invalidate(storableKey(key), expire, now)).length,
    )
  }

  invalidateTag(tag: string, expire: boolean): void {
    this.#handle.change(entries => entries.invalidateTag(storableKey(tag), expire))
  }

  clear(expire: boolean): void {
    try {
      this.#handle.change(entries => entries.clear(expire))
    } catch (error) {
      const full = error instanceof StoreUnavailableError && isFull(error.cause)
      if (expire || !full) throw error
      // SQLite wants room even to give some back.
      this.#handle.startAnew()
    }
    if (expire) return
    this.#bytes = 0
    this.#written = 0
    this.#keepHouse(() => this.#handle.read(entries => entries.upkeep.shrink()))
  }

  *keys(now: number): Generator<string, void, undefined> {
    // Up to the row that is the newest now, so that a loop that writes ends.
    const last = this.#handle.read(entries => entries.newestRow())
    let row = 0
    for (;;) {
      const page = this.#handle.read(entries => entries.keysBetween(row, last, KEYS_PER_PAGE, now))
      for (const { key } of page) yield originalKey(key)
      if (page.length < KEYS_PER_PAGE) return
      row = page.at(-1)!.row
    }
  }

  #writeRows(rows: readonly EntryWrite[], now: number): boolean[] {
    const { maxBytes } = this.#options
    const [only] = rows
    if (rows.length === 1 && only!.epoch !== undefined && only!.size <= maxBytes) {
      return [this.#handle.step(entries => entries.writeFenced(only!, only!.epoch!, now))]
    }
    return this.#handle.change(entries => {
      // One for all that outdate fences, as they happen at once.
      let fresh: number | undefined
      return rows.map(row => {
        if (row.size > maxBytes) {
          entries.refuse(row, now)
          // What comes after it in the batch is to be newer.
          fresh = undefined
          return false
        }
        if (row.epoch !== undefined) return entries.writeFenced(row, row.epoch, now)
        entries.write(row, (fresh ??= entries.nextEpoch()), now)
        return true
      })
    })
  }

  /** A row that is damaged. */
  #discard(stored: string, version: number): void {
    // It has been counted as a miss; if it cannot be removed now, the next reader will try.
    this.#keepHouse(() => this.#handle.change(entries => entries.discard(stored, version)))
  }

  totals(): { entries: number; bytes: number } {
    return this.#handle.read(entries => entries.upkeep.totals())
  }

  /** Removes what is gone by time or tag, and evicts if the file holds too much. */
  sweep(now: number): void {
    this.#handle.change(entries => {
      entries.upkeep.touch(this.#touched, now)
      entries.upkeep.noteLead(this.#options.clock.lead)
      entries.upkeep.sweep(now)
    })
    this.#touched.clear()
    this.#evict()
    this.#handle.read(entries => entries.upkeep.shrink())
  }

  close(): void {
    try {
      // Helps evictions, and the time of the next process; needed for neither.
      if (this.#touched.size > 0 || this.#handle.changed) this.#keepHouse(() => this.#noteUses())
    } finally {
      this.#handle.close()
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
    if (now - used >= USES_HOLD || !this.#isRoomy) this.#touched.add(stored)
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
    return this.#handle.read(entries => entries.read(stored, now)) !== undefined
  }

  #noteUses(): void {
    const { clock } = this.#options
    const now = clock.now()
    this.#handle.change(entries => {
      entries.upkeep.touch(this.#touched, now)
      entries.upkeep.noteLead(clock.lead)
    })
    this.#touched.clear()
  }

  get #isRoomy(): boolean {
    const held = this.#bytes === undefined ? this.#fileSize : this.#bytes + this.#written
    return held <= ROOMY * this.#options.maxBytes
  }

  /** O(entries). */
  #count(): void {
    this.#bytes = this.totals().bytes
    this.#written = 0
  }

  #evict(): void {
    const { maxBytes, clock } = this.#options
    const now = clock.now()
    this.#handle.change(entries => {
      // Before what is written now, which is to be the last to go.
      entries.upkeep.touch(this.#touched, now - 1)
      const { bytes } = entries.upkeep.totals()
      this.#bytes = bytes
      this.#written = 0
      if (bytes <= maxBytes) return
      this.#counters.evictions += entries.upkeep.evictTo(maxBytes * EVICTION_TARGET)
      this.#bytes = entries.upkeep.totals().bytes
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

  #begin(): void {
    this.#touched.clear()
    this.#bytes = undefined
    this.#written = 0
    this.#fileSize = sizeOf(this.#options.path) ?? Infinity
  }
}

const NO_TAGS: readonly string[] = []
