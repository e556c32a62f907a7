import { join, resolve } from 'node:path'
import { makeFolder } from '@millrace/kit/make-folder'
import type { Looked, StoredValue, StoredWrite, SweptBackend } from '../backend.ts'
import { StoreUnavailableError } from '../contract/errors.ts'
import type { StoredEntry } from '../format/entry-format.ts'
import { originalKey, storableKey } from '../format/storable-key.ts'
import { Invalidations, type Scope, type Versioned } from '../invalidations.ts'
import type { SteadyClock } from '../steady-clock.ts'
import type { StoreCounters } from '../store-counters.ts'
import { EntryFiles, type Place, placeOf, tagName } from './entry-files.ts'
import { Journal } from './journal.ts'

/** The journal is rotated when it has this many bytes: 32,768 records. */
const LARGEST_JOURNAL = 1024 * 1024
/**
 * ms for which invalidations stay in the journal although every value there is has been visited: a process that was held up
 * between its look at the journal and its write may still add one.
 */
const SETTLING_TIME = 60_000
/** How often a value that another process is replacing right now is looked for. */
const LOOKS = 4
/** Bytes of a file besides key and value, about; tags aside. */
const OVERHEAD = 64

/** Where the values are, and their limits. */
interface FsEntriesOptions {
  readonly folder: string
  readonly maxBytes: number
  readonly clock: SteadyClock
}

/** Values as files of a folder, which several processes may use at once, and the journal of what they invalidate. */
export class FsEntries implements SweptBackend {
  readonly #options: FsEntriesOptions
  readonly #counters: StoreCounters
  readonly #invalidations = new Invalidations()
  readonly #files: EntryFiles
  readonly #journal: Journal
  /** What a sweep some time ago has applied to every file. */
  #settled: { readonly epoch: number; readonly at: number } | undefined

  /** @throws {StoreUnavailableError} if the folder cannot be used */
  constructor(options: FsEntriesOptions, counters: StoreCounters) {
    this.#options = options
    this.#counters = counters
    const { clock } = options
    // Independent of later changes of the working directory.
    const folder = resolve(options.folder)
    const home = join(folder, 'v3')
    const opened = this.#attempt(() => {
      makeFolder(folder, 0o700)
      const files = new EntryFiles(home, counters)
      return { files, journal: new Journal(home, this.#invalidations, clock, counters) }
    })
    this.#files = opened.files
    this.#journal = opened.journal
    clock.reach(this.#journal.time)
    clock.watchLead(() => this.#noteTime(clock.now()))
  }

  lookup(keys: readonly string[], now: number): Looked {
    return { epoch: this.epoch(), found: this.readMany(keys, now) }
  }

  epoch(): number {
    return this.#attempt(() => {
      this.#journal.catchUp()
      return this.#invalidations.epoch
    })
  }

  read(key: string, now: number): StoredValue | undefined {
    return this.#attempt(() => {
      const place = placeOf(key)
      let entry: StoredEntry | undefined
      // A journal that was replaced in between may not have what concerns the file that was read before.
      do entry = this.#files.read(place.path, true)
      while (this.#journal.catchUp())
      return this.#judge(place, entry, now, LOOKS)
    })
  }

  /** Files first, then the journal: whatever it says has happened before the call returns counts for all of them. */
  readMany(keys: readonly string[], now: number): (StoredValue | undefined)[] {
    return this.#attempt(() => {
      const places = keys.map(placeOf)
      let found: { place: Place; entry: StoredEntry | undefined }[]
      do found = places.map(place => ({ place, entry: this.#files.read(place.path, true) }))
      while (this.#journal.catchUp())
      return found.map(({ place, entry }) => this.#judge(place, entry, now, LOOKS))
    })
  }

  write(writes: readonly StoredWrite[], now: number): boolean[] {
    return this.#attempt(() => {
      const written: string[] = []
      try {
        return writes.map(write => {
          const place = placeOf(write.key)
          const stored = this.#write(place, write, now)
          if (stored) written.push(place.path)
          return stored
        })
      } catch (error) {
        // What rejects has stored nothing.
        for (const path of written) this.#files.remove(path)
        throw error
      }
    })
  }

  invalidate(keys: readonly string[], expire: boolean, now: number): number {
    return this.#attempt(
      () => keys.filter(key => this.#invalidateKey(placeOf(key), expire, now)).length,
    )
  }

  invalidateTag(tag: string, expire: boolean): void {
    this.#append('tag', tagName(storableKey(tag)), expire)
  }

  clear(expire: boolean): void {
    this.#append('all', '', expire)
    if (expire) return
    this.#attempt(() => {
      for (const path of this.#files.paths()) this.#removeDead(path)
    })
  }

  *keys(now: number): Generator<string, void, undefined> {
    for (const path of this.#attempt(() => [...this.#files.paths()])) {
      const key = this.#attempt(() => {
        const entry = this.#files.read(path, false)
        this.#journal.catchUp()
        if (entry === undefined) return undefined
        const found = originalKey(entry.key)
        return this.#isLive(placeOf(found), entry, now) ? found : undefined
      })
      if (key !== undefined) yield key
    }
  }

  /**
   * Removes what is gone, damaged or left behind by a process that died, then the least recently used values until the rest
   * fits. Reads every file. Rotates the journal if it has grown large.
   */
  sweep(now: number): void {
    this.#attempt(() => {
      this.#journal.catchUp()
      const { epoch } = this.#invalidations
      this.#fit(this.#settle(now))
      this.#files.removeLeftovers()
      this.#journal.noteTime(now)
      if (this.#settled !== undefined && now - this.#settled.at < SETTLING_TIME) return
      if (this.#settled !== undefined && this.#journal.bytes >= LARGEST_JOURNAL) {
        this.#journal.rotate(this.#settled.epoch)
      }
      this.#settled = { epoch, at: now }
    })
  }

  close(): void {
    try {
      this.#noteTime(this.#options.clock.now())
    } finally {
      this.#journal.close()
    }
  }

  /** Can wait for the next sweep: a folder that cannot be written now does not fail a call whose own work is done. */
  #noteTime(now: number): void {
    try {
      this.#attempt(() => this.#journal.noteTime(now))
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
    }
  }

  /**
   * What a file is good for, by the invalidations up to now. A value that a write outdates is looked for again, as the new one is
   * about to take its place.
   */
  #judge(
    place: Place,
    entry: StoredEntry | undefined,
    now: number,
    looks: number,
  ): StoredValue | undefined {
    if (entry === undefined || entry.key !== place.key) return undefined
    if (!this.#isLive(place, entry, now)) {
      if (looks === 0 || !this.#invalidations.isKeyDeleted(place.name, entry.version)) {
        return undefined
      }
      const next = this.#files.read(place.path, false)
      return this.#judge(place, next, now, next?.version === entry.version ? looks - 1 : looks)
    }
    const stale = this.#invalidations.isExpired(place.name, named(entry))
    const { packed, retained, version, tags } = entry
    const expires = stale ? 0 : entry.expires
    return { packed, expires, retained, version, tags: tags.map(originalKey) }
  }

  #isLive(place: Place, entry: StoredEntry, now: number): boolean {
    const { clock } = this.#options
    if (entry.written > now) clock.reach(entry.written)
    if (Math.max(now, entry.written) >= entry.retained) return false
    // Written since the journal was last read.
    if (entry.version > this.#invalidations.epoch) this.#journal.catchUp()
    return !this.#invalidations.isDeleted(place.name, named(entry))
  }

  #write(place: Place, { fence, tags, ...value }: StoredWrite, now: number): boolean {
    const entry: StoredEntry = {
      ...value,
      key: place.key,
      tags: tags.map(storableKey),
      written: now,
      version: fence?.epoch ?? 0,
    }
    const fits = OVERHEAD + 2 * value.key.length + value.packed.length <= this.#options.maxBytes
    if (fence !== undefined) {
      const present = this.#files.read(place.path, false)
      this.#journal.catchUp()
      if (!this.#invalidations.admits(fence, place.name, entry.tags.map(tagName))) return false
      const live = this.#judge(place, present, now, 0)
      if (live !== undefined && live.version > fence.epoch) return false
      // A delete by another process from here on is younger than the version, so readers ignore what is written now.
      if (fits) this.#files.write(place.path, entry)
      else this.#files.remove(place.path)
      return fits
    }
    if (!fits) {
      this.#invalidateKey(place, false, now)
      return false
    }
    this.#files.write(place.path, entry, () => {
      this.#journal.append('key', place.name, false)
      return this.#invalidations.epoch
    })
    return true
  }

  #invalidateKey(place: Place, expire: boolean, now: number): boolean {
    const entry = this.#files.read(place.path, false)
    this.#journal.catchUp()
    const found = this.#judge(place, entry, now, 0)
    this.#journal.append('key', place.name, expire)
    if (found === undefined) return false
    if (!expire) this.#removeDead(place.path)
    return true
  }

  /** Removes a file unless a newer value has taken its place. */
  #removeDead(path: string): void {
    const entry = this.#files.read(path, false)
    if (entry === undefined) return
    const place = placeOf(originalKey(entry.key))
    if (!this.#isLive(place, entry, -Infinity)) this.#files.remove(path)
  }

  #append(scope: Scope, name: string, expire: boolean): void {
    this.#attempt(() => this.#journal.append(scope, name, expire))
  }

  /** Applies all invalidations to the files, which then say themselves what the journal said; returns what stays. */
  #settle(now: number): { path: string; bytes: number; used: number }[] {
    const kept: { path: string; bytes: number; used: number }[] = []
    for (const path of this.#files.paths()) {
      const entry = this.#files.read(path, false)
      const stat = this.#files.stat(path)
      if (entry === undefined || stat === undefined) continue
      const place = placeOf(originalKey(entry.key))
      if (!this.#isLive(place, entry, now)) {
        this.#files.remove(path)
        continue
      }
      if (entry.expires !== 0 && this.#invalidations.isExpired(place.name, named(entry))) {
        this.#files.write(path, { ...entry, expires: 0 })
      }
      kept.push({ path, bytes: stat.size, used: stat.mtimeMs })
    }
    return kept
  }

  /** Removes the least recently used files until the rest fits. */
  #fit(files: { path: string; bytes: number; used: number }[]): void {
    let total = files.reduce((sum, { bytes }) => sum + bytes, 0)
    files.sort((a, b) => a.used - b.used)
    for (const { path, bytes } of files) {
      if (total <= this.#options.maxBytes) return
      this.#files.remove(path)
      this.#counters.evictions++
      total -= bytes
    }
  }

  #attempt<T>(work: () => T): T {
    try {
      return work()
    } catch (cause) {
      if (cause instanceof StoreUnavailableError) throw cause
      const problem = `failed: ${(cause as Error).message}`
      throw new StoreUnavailableError(this.#options.folder, problem, { cause })
    }
  }
}

/** With the names that its tags have in the journal. */
function named({ version, tags }: StoredEntry): Versioned {
  return { version, tags: tags.map(tagName) }
}
