import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, systemClock, type Timer } from '../clock.ts'
import { InvalidOptionError } from '../errors.ts'
import { EntryFiles, type Place, placeOf, tagName } from './entry-files.ts'
import type { Envelope } from './envelope.ts'
import { StoreClosedError, StoreUnavailableError } from './errors.ts'
import { Invalidations, type Scope } from './invalidations.ts'
import { Journal } from './journal.ts'
import { type LifetimeOptions, Lifetimes } from './lifetimes.ts'
import { originalKey } from './storable-key.ts'
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

/** Options of a {@link FsStore}. */
export interface FsStoreOptions<V> extends LifetimeOptions, PackingOptions<V> {
  /** Folder of the store, on a local disk, made if it does not exist, readable by this user only. */
  readonly folder: string
  /** Bytes of files kept at most, > 0; enforced by {@link FsStore.sweep}, the least recently used first. Default 256 MiB. */
  readonly maxBytes?: number
  /** ms between removals of what is gone, > 0; Infinity for none, as reads never return it. Default 300,000. */
  readonly sweepInterval?: number
  /** Source of time, in ms since 1970. Default: the system's. */
  readonly clock?: Clock
}

/**
 * A {@link Store} of one file per value, for values of some kB and more and for folders that are copied between machines.
 * Several processes may use one folder. Names of files are hashes; a file is written aside and renamed, so a reader sees the
 * old value or the new one; a torn or damaged file is a miss.
 *
 * Calls run on the calling thread: a read of a few kB takes about 25 us, a write about 150. Nothing is synced to disk: a power
 * cut may lose values but not bring back deleted ones, unless the file system loses the journal's end.
 */
export class FsStore<V = unknown> implements Store<V> {
  readonly folder: string
  readonly #packer: ValuePacker<V>
  readonly #lifetimes: Lifetimes
  readonly #maxBytes: number
  readonly #sweepInterval: number
  readonly #clock: Clock
  readonly #counters = new StoreCounters()
  readonly #invalidations = new Invalidations()
  readonly #files: EntryFiles
  readonly #journal: Journal
  #timer: Timer | undefined
  #closed = false

  /**
   * @throws {InvalidOptionError}
   * @throws {StoreUnavailableError} if the folder cannot be used
   */
  constructor(options: FsStoreOptions<V>) {
    const {
      folder,
      maxBytes = 256 * 1024 * 1024,
      sweepInterval = 300_000,
      clock = systemClock,
    } = options
    if (typeof folder !== 'string' || folder === '') {
      throw new InvalidOptionError('folder', 'the path of a folder', folder)
    }
    for (const [name, value] of Object.entries({ maxBytes, sweepInterval })) {
      if (!(value > 0)) throw new InvalidOptionError(name, 'a number > 0', value)
    }
    this.#packer = new ValuePacker(options)
    this.#lifetimes = new Lifetimes(options)
    this.#maxBytes = maxBytes
    this.#sweepInterval = sweepInterval
    this.#clock = clock
    this.folder = folder
    const home = join(folder, 'v1')
    const opened = this.#attempt(() => {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      const files = new EntryFiles(home)
      return { files, journal: new Journal(home, this.#invalidations) }
    })
    this.#files = opened.files
    this.#journal = opened.journal
    this.#scheduleSweep()
  }

  async fence({ signal }: StoreCallOptions = {}): Promise<Fence> {
    this.#enter(signal)
    return { epoch: this.#invalidations.epoch, at: this.#clock.now() }
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
    this.#enter(options.signal)
    return this.#write(key, value, options)
  }

  async setMany(
    items: readonly StoreItem<V>[],
    { signal }: StoreCallOptions = {},
  ): Promise<boolean[]> {
    this.#enter(signal)
    return items.map(item => this.#write(item.key, item.value, item))
  }

  async delete(key: string, { signal }: StoreCallOptions = {}): Promise<boolean> {
    this.#enter(signal)
    return this.#delete(key)
  }

  async deleteMany(keys: readonly string[], { signal }: StoreCallOptions = {}): Promise<number> {
    this.#enter(signal)
    return keys.filter(key => this.#delete(key)).length
  }

  async expire(key: string, { signal }: StoreCallOptions = {}): Promise<boolean> {
    this.#enter(signal)
    const place = placeOf(key)
    const found = this.#find(place)
    this.#invalidate('key', place.name, true)
    if (found === undefined) return false
    this.#counters.deletes++
    // The journal alone makes the value stale; the file says so too once the journal's record is forgotten.
    this.#attempt(() => this.#files.write(place.path, { ...found, expires: 0 }))
    return true
  }

  async deleteTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    this.#enter(signal)
    this.#invalidate('tag', tagName(tag), false)
  }

  async expireTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    this.#enter(signal)
    this.#invalidate('tag', tagName(tag), true)
  }

  async clear({
    expire = false,
    signal,
  }: { readonly expire?: boolean } & StoreCallOptions = {}): Promise<void> {
    this.#enter(signal)
    this.#invalidate('all', '', expire)
    if (expire) return
    this.#attempt(() => {
      for (const path of this.#files.paths()) this.#files.remove(path)
    })
  }

  async *keys({
    prefix = '',
    signal,
  }: { readonly prefix?: string } & StoreCallOptions = {}): AsyncGenerator<
    string,
    void,
    undefined
  > {
    this.#enter(signal)
    for (const path of this.#attempt(() => [...this.#files.paths()])) {
      this.#enter(signal)
      const envelope = this.#attempt(() => this.#files.read(path))
      if (envelope === undefined) continue
      const key = originalKey(envelope.key)
      if (key.startsWith(prefix) && this.#isLive(placeOf(key), envelope)) yield key
    }
  }

  stats(): StoreStats {
    return { ...this.#counters.snapshot(), corrupt: this.#files.corrupt }
  }

  /**
   * Removes what is gone, damaged or left behind by a process that died, then the least recently used values until the rest
   * fits `maxBytes`. Reads every file; runs by itself every `sweepInterval`.
   */
  sweep(): void {
    this.#enter(undefined)
    this.#attempt(() => {
      this.#fit(this.#removeGone())
      this.#files.removeLeftovers()
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.#journal.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #enter(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    if (this.#closed) throw new StoreClosedError()
    this.#attempt(() => this.#journal.catchUp())
  }

  #read(key: string): StoreEntry<V> | undefined {
    const place = placeOf(key)
    const found = this.#find(place)
    const value = found && this.#unpack(place, found)
    if (found === undefined || value === undefined) {
      this.#counters.misses++
      return undefined
    }
    this.#counters.hits++
    const { retained, version, tags } = found
    const stale = this.#invalidations.isExpired(place.name, named(found))
    return { value: value.value, expires: stale ? 0 : found.expires, retained, version, tags }
  }

  #unpack({ path }: Place, { packed }: Envelope): { value: V } | undefined {
    try {
      return { value: this.#packer.unpack(packed) }
    } catch {
      this.#attempt(() => this.#files.discard(path))
      return undefined
    }
  }

  /** The envelope of a key unless it is gone. */
  #find(place: Place): Envelope | undefined {
    return this.#attempt(() => {
      const envelope = this.#files.read(place.path)
      if (envelope === undefined || envelope.key !== place.key) return undefined
      if (!this.#isLive(place, envelope)) return undefined
      this.#files.markUsed(place.path)
      return envelope
    })
  }

  #isLive(place: Place, envelope: Envelope): boolean {
    if (!(this.#clock.now() < envelope.retained)) return false
    return !this.#invalidations.isDeleted(place.name, named(envelope))
  }

  #write(key: string, value: V, options: StoreSetOptions): boolean {
    const { expires, retained } = this.#lifetimes.of(options, this.#clock.now())
    const { tags = [], fence } = options
    const packed = this.#packer.pack(value)
    const place = placeOf(key)
    if (fence !== undefined && !this.#admits(fence, place, tags)) {
      this.#counters.refused++
      return false
    }
    const version = fence?.epoch ?? this.#invalidations.epoch
    // A delete by another process from here on is younger than `version`, so readers ignore what is written now.
    const envelope = { key: place.key, expires, retained, version, tags, packed }
    this.#attempt(() => this.#files.write(place.path, envelope))
    this.#counters.writes++
    return true
  }

  #admits(fence: Fence, place: Place, tags: readonly string[]): boolean {
    if (!this.#invalidations.admits(fence, place.name, tags.map(tagName))) return false
    return (this.#find(place)?.version ?? 0) <= fence.epoch
  }

  #delete(key: string): boolean {
    const place = placeOf(key)
    const found = this.#find(place)
    this.#invalidate('key', place.name, false)
    if (found === undefined) return false
    this.#attempt(() => this.#files.remove(place.path))
    this.#counters.deletes++
    return true
  }

  #invalidate(scope: Scope, name: string, expire: boolean): void {
    this.#attempt(() => this.#journal.append(scope, name, expire))
  }

  /** Removes what is gone or damaged; returns what stays. */
  #removeGone(): { path: string; bytes: number; used: number }[] {
    const kept: { path: string; bytes: number; used: number }[] = []
    for (const path of this.#files.paths()) {
      const envelope = this.#files.read(path)
      const stat = this.#files.stat(path)
      if (envelope === undefined || stat === undefined) continue
      if (this.#isLive(placeOf(originalKey(envelope.key)), envelope)) {
        kept.push({ path, bytes: stat.size, used: stat.mtimeMs })
      } else this.#files.remove(path)
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

  #attempt<T>(work: () => T): T {
    try {
      return work()
    } catch (cause) {
      if (cause instanceof StoreUnavailableError) throw cause
      const problem = `failed: ${(cause as Error).message}`
      throw new StoreUnavailableError(this.folder, problem, { cause })
    }
  }
}

function named({ version, tags }: Envelope): { version: number; tags: readonly string[] } {
  return { version, tags: tags.map(tagName) }
}
