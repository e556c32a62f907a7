import { systemClock, type TimeSource } from '../clock.ts'
import { InvalidOptionError } from '../errors.ts'
import { StoreClosedError } from './errors.ts'
import { Invalidations } from './invalidations.ts'
import { type LifetimeOptions, Lifetimes } from './lifetimes.ts'
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

/** Options of a {@link MemoryStore}. */
export interface MemoryStoreOptions<V> extends LifetimeOptions, PackingOptions<V> {
  /** Packed bytes of keys and values held at most, > 0. Default 64 MiB. */
  readonly maxBytes?: number
  /** Source of time, in ms since 1970. Default: the system's. */
  readonly clock?: TimeSource
}

/** Counters of a {@link MemoryStore}. */
export interface MemoryStoreStats extends StoreStats {
  /** Values held, gone ones that were not yet met included. */
  readonly entries: number
  /** Packed bytes of keys and values held. */
  readonly bytes: number
}

interface Held {
  readonly packed: Uint8Array
  expires: number
  readonly retained: number
  readonly version: number
  readonly tags: readonly string[]
  readonly size: number
  /** Read since it was last passed over for eviction. */
  visited: boolean
}

/** Tag names remembered before the store visits all its values to forget them: O(entries), rarely. */
const REMEMBERED_TAGS = 16_384

/**
 * A {@link Store} in this process: a second tier for tests and for compressed values that are read rarely. Values are packed
 * as in the other stores, so what was stored cannot change under the caller. Evicts by second chance (CLOCK): a hit costs no
 * reordering, and an eviction passes over what was read since the hand last came by; amortized O(1).
 */
export class MemoryStore<V = unknown> implements Store<V> {
  readonly #packer: ValuePacker<V>
  readonly #lifetimes: Lifetimes
  readonly #maxBytes: number
  readonly #clock: TimeSource
  /** In the order in which the hand will pass them. */
  readonly #entries = new Map<string, Held>()
  readonly #invalidations = new Invalidations()
  readonly #counters = new StoreCounters()
  #bytes = 0
  #closed = false

  /** @throws {InvalidOptionError} */
  constructor(options: MemoryStoreOptions<V> = {}) {
    const { maxBytes = 64 * 1024 * 1024, clock = systemClock } = options
    if (!(maxBytes > 0)) throw new InvalidOptionError('maxBytes', 'a number > 0', maxBytes)
    this.#packer = new ValuePacker(options)
    this.#lifetimes = new Lifetimes(options)
    this.#maxBytes = maxBytes
    this.#clock = clock
  }

  async fence({ signal }: StoreCallOptions = {}): Promise<Fence> {
    this.#enter(signal)
    return this.#now()
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
    const held = this.#live(key)
    this.#invalidate('key', key, true)
    if (held === undefined) return false
    held.expires = 0
    this.#counters.deletes++
    return true
  }

  async deleteTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    this.#enter(signal)
    this.#invalidate('tag', tag, false)
  }

  async expireTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    this.#enter(signal)
    this.#invalidate('tag', tag, true)
  }

  async clear({
    expire = false,
    signal,
  }: { readonly expire?: boolean } & StoreCallOptions = {}): Promise<void> {
    this.#enter(signal)
    this.#invalidate('all', '', expire)
    if (expire) return
    this.#entries.clear()
    this.#bytes = 0
    this.#invalidations.forgetNames()
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
    for (const key of [...this.#entries.keys()]) {
      signal?.throwIfAborted()
      if (key.startsWith(prefix) && this.#live(key) !== undefined) yield key
    }
  }

  stats(): MemoryStoreStats {
    return { ...this.#counters.snapshot(), entries: this.#entries.size, bytes: this.#bytes }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#entries.clear()
    this.#bytes = 0
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #enter(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    if (this.#closed) throw new StoreClosedError()
  }

  #now(): Fence {
    return { epoch: this.#invalidations.epoch, at: this.#clock.now() }
  }

  /** The value held under a key unless it is gone. */
  #live(key: string): Held | undefined {
    const held = this.#entries.get(key)
    if (held === undefined) return undefined
    if (this.#clock.now() < held.retained && !this.#invalidations.isDeleted(key, held)) return held
    this.#drop(key, held)
    return undefined
  }

  #read(key: string): StoreEntry<V> | undefined {
    const held = this.#live(key)
    if (held === undefined) {
      this.#counters.misses++
      return undefined
    }
    held.visited = true
    this.#counters.hits++
    if (this.#invalidations.isExpired(key, held)) held.expires = 0
    const { expires, retained, version, tags } = held
    return { value: this.#packer.unpack(held.packed), expires, retained, version, tags }
  }

  #write(key: string, value: V, options: StoreSetOptions): boolean {
    const now = this.#clock.now()
    const { expires, retained } = this.#lifetimes.of(options, now)
    const { tags = [], fence } = options
    const present = this.#live(key)
    const outdated =
      fence !== undefined &&
      (!this.#invalidations.admits(fence, key, tags) || (present?.version ?? 0) > fence.epoch)
    const packed = this.#packer.pack(value)
    const size = packed.length + 2 * key.length
    if (outdated) {
      this.#counters.refused++
      return false
    }
    if (present !== undefined) this.#drop(key, present)
    if (size > this.#maxBytes) return false
    const version = fence?.epoch ?? this.#invalidations.epoch
    const held = { packed, expires, retained, version, tags: [...tags], size, visited: false }
    this.#entries.set(key, held)
    this.#bytes += size
    this.#counters.writes++
    while (this.#bytes > this.#maxBytes) this.#evictOne()
    return true
  }

  #delete(key: string): boolean {
    const held = this.#live(key)
    this.#invalidate('key', key, false)
    if (held === undefined) return false
    this.#drop(key, held)
    this.#counters.deletes++
    return true
  }

  #invalidate(scope: 'key' | 'tag' | 'all', name: string, expire: boolean): void {
    this.#invalidations.note(scope, name, expire, this.#invalidations.epoch + 1)
    if (this.#invalidations.tags > REMEMBERED_TAGS) this.#settleTags()
  }

  /** Applies all tag invalidations to the values, so that the tags' names can be forgotten. */
  #settleTags(): void {
    for (const [key, held] of this.#entries) {
      if (this.#invalidations.isDeleted(key, held)) this.#drop(key, held)
      else if (this.#invalidations.isExpired(key, held)) held.expires = 0
    }
    this.#invalidations.forgetNames()
  }

  #drop(key: string, held: Held): void {
    this.#entries.delete(key)
    this.#bytes -= held.size
  }

  #evictOne(): void {
    for (const [key, held] of this.#entries) {
      if (!held.visited || held.retained <= this.#clock.now()) {
        this.#drop(key, held)
        this.#counters.evictions++
        return
      }
      held.visited = false
      this.#entries.delete(key)
      this.#entries.set(key, held)
    }
  }
}
