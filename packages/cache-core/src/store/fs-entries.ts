import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { StoredValue, StoredWrite, SweptBackend } from './backend.ts'
import { EntryFiles, type Place, placeOf, tagName } from './entry-files.ts'
import type { Envelope } from './envelope.ts'
import { StoreUnavailableError } from './errors.ts'
import { Invalidations, type Scope } from './invalidations.ts'
import { Journal } from './journal.ts'
import { originalKey } from './storable-key.ts'
import type { StoreCounters } from './store-counters.ts'

/** The journal is rotated when it has this many bytes: 43,690 records. */
const LARGEST_JOURNAL = 1024 * 1024
/**
 * ms for which invalidations stay in the journal although every value there is has been visited: a process that was held up
 * between its look at the journal and its write may still add one.
 */
const SETTLING_TIME = 60_000

/** Values as files of a folder, which several processes may use at once, and the journal of what they invalidate. */
export class FsEntries implements SweptBackend {
  readonly #folder: string
  readonly #maxBytes: number
  readonly #counters: StoreCounters
  readonly #invalidations = new Invalidations()
  readonly #files: EntryFiles
  readonly #journal: Journal
  /** What a sweep some time ago has applied to every file. */
  #settled: { readonly epoch: number; readonly at: number } | undefined

  /** @throws {StoreUnavailableError} if the folder cannot be used */
  constructor(folder: string, maxBytes: number, counters: StoreCounters) {
    this.#folder = folder
    this.#maxBytes = maxBytes
    this.#counters = counters
    const home = join(folder, 'v1')
    const opened = this.#attempt(() => {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      const files = new EntryFiles(home, counters)
      return { files, journal: new Journal(home, this.#invalidations) }
    })
    this.#files = opened.files
    this.#journal = opened.journal
  }

  epoch(): number {
    return this.#attempt(() => {
      this.#journal.catchUp()
      return this.#invalidations.epoch
    })
  }

  read(key: string, now: number): StoredValue | undefined {
    return this.#attempt(() => {
      this.#journal.catchUp()
      const place = placeOf(key)
      const found = this.#find(place, now)
      if (found === undefined) return undefined
      const stale = this.#invalidations.isExpired(place.name, named(found))
      return stale ? { ...found, expires: 0 } : found
    })
  }

  write(writes: readonly StoredWrite[], now: number): boolean[] {
    return this.#attempt(() => writes.map(write => this.#write(write, now)))
  }

  remove(keys: readonly string[], now: number): number {
    return this.#attempt(() => keys.filter(key => this.#remove(placeOf(key), now)).length)
  }

  expire(key: string, now: number): boolean {
    return this.#attempt(() => {
      this.#journal.catchUp()
      const place = placeOf(key)
      const found = this.#find(place, now)
      this.#journal.append('key', place.name, true)
      // The journal alone makes the value stale; the file says so too once the journal's record is forgotten.
      if (found !== undefined) this.#files.write(place.path, { ...found, expires: 0 })
      return found !== undefined
    })
  }

  invalidateTag(tag: string, expire: boolean): void {
    this.#append('tag', tagName(tag), expire)
  }

  clear(expire: boolean): void {
    this.#append('all', '', expire)
    if (expire) return
    this.#attempt(() => {
      for (const path of this.#files.paths()) this.#files.remove(path)
    })
  }

  *keys(now: number): Generator<string, void, undefined> {
    for (const path of this.#attempt(() => [...this.#files.paths()])) {
      const key = this.#attempt(() => {
        this.#journal.catchUp()
        const envelope = this.#files.read(path)
        const found = envelope && originalKey(envelope.key)
        return found !== undefined && this.#isLive(placeOf(found), envelope!, now)
          ? found
          : undefined
      })
      if (key !== undefined) yield key
    }
  }

  discard(key: string): void {
    this.#attempt(() => this.#files.remove(placeOf(key).path))
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
      if (this.#settled !== undefined && now - this.#settled.at < SETTLING_TIME) return
      if (this.#settled !== undefined && this.#journal.bytes >= LARGEST_JOURNAL) {
        this.#journal.rotate(this.#settled.epoch)
      }
      this.#settled = { epoch, at: now }
    })
  }

  close(): void {
    this.#journal.close()
  }

  /** The envelope of a key unless it is gone. */
  #find(place: Place, now: number): Envelope | undefined {
    const envelope = this.#files.read(place.path)
    if (envelope === undefined || envelope.key !== place.key) return undefined
    if (!this.#isLive(place, envelope, now)) return undefined
    this.#files.markUsed(place.path)
    return envelope
  }

  #isLive(place: Place, envelope: Envelope, now: number): boolean {
    return now < envelope.retained && !this.#invalidations.isDeleted(place.name, named(envelope))
  }

  #write({ key, fence, ...value }: StoredWrite, now: number): boolean {
    const place = placeOf(key)
    if (fence === undefined) this.#journal.append('key', place.name, false)
    else {
      this.#journal.catchUp()
      if (!this.#invalidations.admits(fence, place.name, value.tags.map(tagName))) return false
      if ((this.#find(place, now)?.version ?? 0) > fence.epoch) return false
    }
    const version = fence?.epoch ?? this.#invalidations.epoch
    // A delete by another process from here on is younger than `version`, so readers ignore what is written now.
    this.#files.write(place.path, { ...value, key: place.key, version })
    return true
  }

  #remove(place: Place, now: number): boolean {
    this.#journal.catchUp()
    const found = this.#find(place, now)
    this.#journal.append('key', place.name, false)
    if (found !== undefined) this.#files.remove(place.path)
    return found !== undefined
  }

  #append(scope: Scope, name: string, expire: boolean): void {
    this.#attempt(() => this.#journal.append(scope, name, expire))
  }

  /** Applies all invalidations to the files, which then say themselves what the journal said; returns what stays. */
  #settle(now: number): { path: string; bytes: number; used: number }[] {
    const kept: { path: string; bytes: number; used: number }[] = []
    for (const path of this.#files.paths()) {
      const envelope = this.#files.read(path)
      const stat = this.#files.stat(path)
      if (envelope === undefined || stat === undefined) continue
      const place = placeOf(originalKey(envelope.key))
      if (!this.#isLive(place, envelope, now)) {
        this.#files.remove(path)
        continue
      }
      if (envelope.expires !== 0 && this.#invalidations.isExpired(place.name, named(envelope))) {
        this.#files.write(path, { ...envelope, expires: 0 })
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
      if (total <= this.#maxBytes) return
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
      throw new StoreUnavailableError(this.#folder, problem, { cause })
    }
  }
}

function named({ version, tags }: Envelope): { version: number; tags: readonly string[] } {
  return { version, tags: tags.map(tagName) }
}
