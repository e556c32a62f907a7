import type { TimeSource } from '../time/turn-clock.ts'
import type { Backend } from './backend.ts'
import { StoreClosedError } from './errors.ts'
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

/** Options of every {@link LocalStore}. */
export interface LocalStoreOptions<V> extends LifetimeOptions, PackingOptions<V> {
  readonly clock: TimeSource
}

/**
 * A {@link Store} over a synchronous {@link Backend}: packs values, gives them their lives, counts, and answers with promises.
 */
export class LocalStore<V, B extends Backend> implements Store<V> {
  protected readonly backend: B
  protected readonly clock: TimeSource
  readonly #packer: ValuePacker<V>
  readonly #lifetimes: Lifetimes
  readonly #counters = new StoreCounters()
  #closed = false

  /**
   * @param open makes the backend once the options are known to be good; it counts evictions, refusals and damage
   * @throws {InvalidOptionError}
   */
  constructor(options: LocalStoreOptions<V>, open: (counters: StoreCounters) => B) {
    this.#packer = new ValuePacker(options)
    this.#lifetimes = new Lifetimes(options)
    this.clock = options.clock
    this.backend = open(this.#counters)
  }

  async fence({ signal }: StoreCallOptions = {}): Promise<Fence> {
    this.enter(signal)
    return { epoch: this.backend.epoch(), at: this.clock.now() }
  }

  async get(key: string, { signal }: StoreCallOptions = {}): Promise<StoreEntry<V> | undefined> {
    this.enter(signal)
    return this.#read(key)
  }

  async getMany(
    keys: readonly string[],
    { signal }: StoreCallOptions = {},
  ): Promise<(StoreEntry<V> | undefined)[]> {
    this.enter(signal)
    return keys.map(key => this.#read(key))
  }

  async set(
    key: string,
    value: V,
    options: StoreSetOptions & StoreCallOptions = {},
  ): Promise<boolean> {
    this.enter(options.signal)
    return this.#write([{ ...options, key, value }])[0]!
  }

  async setMany(
    items: readonly StoreItem<V>[],
    { signal }: StoreCallOptions = {},
  ): Promise<boolean[]> {
    this.enter(signal)
    return this.#write(items)
  }

  async delete(key: string, { signal }: StoreCallOptions = {}): Promise<boolean> {
    this.enter(signal)
    return this.#remove([key]) === 1
  }

  async deleteMany(keys: readonly string[], { signal }: StoreCallOptions = {}): Promise<number> {
    this.enter(signal)
    return this.#remove(keys)
  }

  async expire(key: string, { signal }: StoreCallOptions = {}): Promise<boolean> {
    this.enter(signal)
    const expired = this.backend.expire(key, this.clock.now())
    if (expired) this.#counters.deletes++
    return expired
  }

  async deleteTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    this.enter(signal)
    this.backend.invalidateTag(tag, false)
  }

  async expireTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    this.enter(signal)
    this.backend.invalidateTag(tag, true)
  }

  async clear({
    expire = false,
    signal,
  }: { readonly expire?: boolean } & StoreCallOptions = {}): Promise<void> {
    this.enter(signal)
    this.backend.clear(expire)
  }

  async *keys({
    prefix = '',
    signal,
  }: { readonly prefix?: string } & StoreCallOptions = {}): AsyncGenerator<
    string,
    void,
    undefined
  > {
    this.enter(signal)
    for (const key of this.backend.keys(this.clock.now())) {
      if (key.startsWith(prefix)) yield key
      this.enter(signal)
    }
  }

  stats(): StoreStats {
    return this.#counters.snapshot()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.backend.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  protected get closed(): boolean {
    return this.#closed
  }

  /** @throws {StoreClosedError} or the signal's reason */
  protected enter(signal?: AbortSignal): void {
    signal?.throwIfAborted()
    if (this.#closed) throw new StoreClosedError()
  }

  #read(key: string): StoreEntry<V> | undefined {
    const stored = this.backend.read(key, this.clock.now())
    if (stored === undefined) {
      this.#counters.misses++
      return undefined
    }
    const { packed, expires, retained, version, tags } = stored
    try {
      const value = this.#packer.unpack(packed)
      this.#counters.hits++
      return { value, expires, retained, version, tags }
    } catch {
      // Damaged, or of another codec: a miss as any other, and counted by itself.
      this.#counters.misses++
      this.#counters.corrupt++
      this.backend.discard(key, stored)
      return undefined
    }
  }

  #write(items: readonly StoreItem<V>[]): boolean[] {
    if (items.length === 0) return []
    const now = this.clock.now()
    const writes = items.map(({ key, value, tags = [], fence, ...options }) => {
      const { expires, retained } = this.#lifetimes.of(options, now)
      return { key, packed: this.#packer.pack(value), expires, retained, tags, fence }
    })
    const written = this.backend.write(writes, now)
    for (const stored of written) this.#counters[stored ? 'writes' : 'refused']++
    return written
  }

  #remove(keys: readonly string[]): number {
    if (keys.length === 0) return 0
    const removed = this.backend.remove(keys, this.clock.now())
    this.#counters.deletes += removed
    return removed
  }
}
