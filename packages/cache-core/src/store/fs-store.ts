import { hash, randomUUID } from 'node:crypto'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Clock, systemClock, type Timer } from '../clock.ts'
import { InvalidOptionError } from '../errors.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope } from './envelope.ts'
import { StoreClosedError, StoreUnavailableError } from './errors.ts'
import { Invalidations, type Scope } from './invalidations.ts'
import { Journal } from './journal.ts'
import { type LifetimeOptions, Lifetimes } from './lifetimes.ts'
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

/** A value's file is marked as used when its last mark is older than this, in ms, so that most reads write nothing. */
const USE_RESOLUTION = 3_600_000
/** A temporary file older than this, in ms, belongs to a process that died. */
const TEMPORARY_LIFE = 3_600_000

/**
 * A {@link Store} of one file per value, for values of some kB and more and for folders that are copied between machines.
 * Several processes may use one folder. Names of files are hashes; a file is written aside and renamed, so a reader sees the
 * old value or the new one; a torn or damaged file is a miss.
 *
 * Calls run on the calling thread: a read of a few kB takes about 15 us, a write about 100. Nothing is synced to disk: a power
 * cut may lose values but not bring back deleted ones, unless the file system loses the journal's end.
 */
export class FsStore<V = unknown> implements Store<V> {
  readonly folder: string
  readonly #entries: string
  readonly #temporary: string
  readonly #packer: ValuePacker<V>
  readonly #lifetimes: Lifetimes
  readonly #maxBytes: number
  readonly #sweepInterval: number
  readonly #clock: Clock
  readonly #counters = new StoreCounters()
  readonly #invalidations = new Invalidations()
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
    this.#entries = join(folder, 'v1', 'entries')
    this.#temporary = join(folder, 'v1', 'temporary')
    this.#journal = this.#attempt(() => {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      mkdirSync(this.#entries, { recursive: true })
      mkdirSync(this.#temporary, { recursive: true })
      return new Journal(join(folder, 'v1'), this.#invalidations)
    })
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
    this.#replace(place.path, { ...found, expires: 0 })
    return true
  }

  async deleteTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    this.#enter(signal)
    this.#invalidate('tag', nameOf(tag), false)
  }

  async expireTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    this.#enter(signal)
    this.#invalidate('tag', nameOf(tag), true)
  }

  async clear({
    expire = false,
    signal,
  }: { readonly expire?: boolean } & StoreCallOptions = {}): Promise<void> {
    this.#enter(signal)
    this.#invalidate('all', '', expire)
    if (!expire) for (const path of this.#paths()) this.#remove(path)
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
    for (const path of this.#paths()) {
      this.#enter(signal)
      const envelope = this.#open(path)
      if (envelope === undefined || !this.#isLive(placeOf(originalKey(envelope.key)), envelope))
        continue
      const key = originalKey(envelope.key)
      if (key.startsWith(prefix)) yield key
    }
  }

  stats(): StoreStats {
    return this.#counters.snapshot()
  }

  /**
   * Removes what is gone, damaged or left behind by a process that died, then the least recently used values until the rest
   * fits `maxBytes`. Reads every file; runs by itself every `sweepInterval`.
   */
  sweep(): void {
    this.#enter(undefined)
    const kept: { path: string; bytes: number; used: number }[] = []
    let bytes = 0
    for (const path of this.#paths()) {
      const envelope = this.#open(path)
      const stat = statSync(path, { throwIfNoEntry: false })
      if (stat === undefined) continue
      if (envelope === undefined || !this.#isLive(placeOf(originalKey(envelope.key)), envelope)) {
        this.#remove(path)
        continue
      }
      bytes += stat.size
      kept.push({ path, bytes: stat.size, used: stat.mtimeMs })
    }
    kept.sort((a, b) => a.used - b.used)
    for (const { path, bytes: size } of kept) {
      if (bytes <= this.#maxBytes) break
      this.#remove(path)
      this.#counters.evictions++
      bytes -= size
    }
    for (const name of readdirSync(this.#temporary)) {
      const path = join(this.#temporary, name)
      const stat = statSync(path, { throwIfNoEntry: false })
      if (stat !== undefined && Date.now() - stat.mtimeMs > TEMPORARY_LIFE) this.#remove(path)
    }
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
      this.#counters.corrupt++
      this.#remove(join(this.#entries, path))
      return undefined
    }
  }

  /** The envelope of a key unless it is gone. */
  #find(place: Place): Envelope | undefined {
    const path = join(this.#entries, place.path)
    const envelope = this.#open(path)
    if (envelope === undefined || envelope.key !== place.key) return undefined
    if (!this.#isLive(place, envelope)) return undefined
    this.#markUsed(path)
    return envelope
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
    this.#replace(place.path, { key: place.key, expires, retained, version, tags, packed })
    this.#counters.writes++
    return true
  }

  #admits(fence: Fence, place: Place, tags: readonly string[]): boolean {
    if (!this.#invalidations.admits(fence, place.name, tags.map(nameOf))) return false
    return (this.#find(place)?.version ?? 0) <= fence.epoch
  }

  #delete(key: string): boolean {
    const place = placeOf(key)
    const found = this.#find(place)
    this.#invalidate('key', place.name, false)
    if (found === undefined) return false
    this.#remove(join(this.#entries, place.path))
    this.#counters.deletes++
    return true
  }

  #invalidate(scope: Scope, name: string, expire: boolean): void {
    this.#attempt(() => this.#journal.append(scope, name, expire))
  }

  #open(path: string): Envelope | undefined {
    let bytes: Buffer
    try {
      bytes = readFileSync(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw this.#unavailable(error)
    }
    const envelope = decodeEnvelope(bytes)
    if (envelope === undefined) {
      this.#counters.corrupt++
      this.#remove(path)
    }
    return envelope
  }

  #replace(path: string, envelope: Envelope): void {
    const temporary = join(this.#temporary, randomUUID())
    const target = join(this.#entries, path)
    this.#attempt(() => {
      writeFileSync(temporary, encodeEnvelope(envelope), { flag: 'wx', mode: 0o600 })
      try {
        renameSync(temporary, target)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        mkdirSync(join(this.#entries, path.slice(0, 2)), { recursive: true })
        renameSync(temporary, target)
      }
    })
  }

  #remove(path: string): void {
    try {
      unlinkSync(path)
    } catch (error) {
      // Another process was faster.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw this.#unavailable(error)
    }
  }

  #markUsed(path: string): void {
    const now = Date.now()
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined || now - stat.mtimeMs < USE_RESOLUTION) return
    try {
      utimesSync(path, now / 1_000, now / 1_000)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw this.#unavailable(error)
    }
  }

  *#paths(): Generator<string, void, undefined> {
    for (const folder of readdirSync(this.#entries)) {
      for (const name of readdirSync(join(this.#entries, folder))) {
        yield join(this.#entries, folder, name)
      }
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
    } catch (error) {
      throw this.#unavailable(error)
    }
  }

  #unavailable(error: unknown): StoreUnavailableError {
    return new StoreUnavailableError(this.folder, `failed: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

interface Place {
  /** The key as stored. */
  readonly key: string
  /** Path below the folder of entries. */
  readonly path: string
  /** Name in the journal. */
  readonly name: string
}

function placeOf(key: string): Place {
  const stored = storableKey(key)
  const digest = hash('sha256', stored, 'buffer')
  const hex = digest.toString('hex')
  return {
    key: stored,
    path: join(hex.slice(0, 2), hex.slice(2)),
    name: digest.toString('base64url', 0, 17).slice(0, 22),
  }
}

/** A key's or tag's name in the journal: 132 bits of its SHA-256. */
function nameOf(text: string): string {
  return hash('sha256', storableKey(text), 'buffer').toString('base64url', 0, 17).slice(0, 22)
}

function named({ version, tags }: Envelope): { version: number; tags: readonly string[] } {
  return { version, tags: tags.map(nameOf) }
}
