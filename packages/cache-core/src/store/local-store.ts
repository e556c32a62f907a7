import { describeStats, type TimeSource } from '@millrace/kit'
import type { Backend, StoredValue, StoredWrite } from './backend.ts'
import {
  checkCallOptions,
  checkClearOptions,
  checkItems,
  checkKey,
  checkKeys,
  checkKeysOptions,
  checkSetOptions,
  checkTag,
} from './contract/call-options.ts'
import { StoreClosedError, UnencodableValueError } from './contract/errors.ts'
import {
  type Fence,
  STORE_STATS_KINDS,
  type Store,
  type StoreCallOptions,
  type StoreClearOptions,
  type StoreEntry,
  type StoreItem,
  type StoreKeysOptions,
  type StoreLookup,
  type StoreSetOptions,
  type StoreStats,
} from './contract/store.ts'
import { type PackingOptions, ValuePacker } from './format/value-packer.ts'
import { type LifetimeOptions, Lifetimes } from './lifetimes.ts'
import { StoreCounters } from './store-counters.ts'

/** Options of every {@link LocalStore}. */
export interface LocalStoreOptions<V> extends LifetimeOptions, PackingOptions<V> {
  readonly clock: TimeSource
}

/** A {@link Store} over a synchronous {@link Backend}: packs values, gives them their lives, counts, and answers with promises. */
export class LocalStore<V, B extends Backend> implements Store<V> {
  protected readonly backend: B
  protected readonly clock: TimeSource
  readonly #packer: ValuePacker<V>
  readonly #lifetimes: Lifetimes
  readonly #counters = new StoreCounters()
  #closed = false

  /**
   * @param open makes the backend once the options are known to be good; it counts evictions and damage
   * @throws {InvalidOptionError}
   */
  constructor(options: LocalStoreOptions<V>, open: (counters: StoreCounters) => B) {
    this.#packer = new ValuePacker(options)
    this.#lifetimes = new Lifetimes(options)
    this.clock = options.clock
    this.backend = open(this.#counters)
  }

  async fence(options?: StoreCallOptions): Promise<Fence> {
    this.#begin(options)
    return this.#fence()
  }

  async get(key: string, options?: StoreCallOptions): Promise<StoreEntry<V> | undefined> {
    this.#begin(options)
    return this.#entry(this.backend.read(checkKey(key), this.clock.now()))
  }

  async getMany(
    keys: readonly string[],
    options?: StoreCallOptions,
  ): Promise<(StoreEntry<V> | undefined)[]> {
    this.#begin(options)
    return this.#read(checkKeys(keys))
  }

  async lookup(keys: readonly string[], options?: StoreCallOptions): Promise<StoreLookup<V>> {
    this.#begin(options)
    const names = checkKeys(keys)
    const at = this.clock.now()
    const { epoch, found } = this.backend.lookup(names, at)
    return { entries: found.map(stored => this.#entry(stored)), fence: { epoch, at } }
  }

  async set(key: string, value: V, options?: StoreSetOptions & StoreCallOptions): Promise<boolean> {
    const { signal, ...how } = checkSetOptions(options)
    this.enter(signal)
    const now = this.clock.now()
    const write = this.#toWrite({ ...how, key: checkKey(key), value }, now)
    if (write instanceof UnencodableValueError) {
      this.#counters.refused++
      throw write
    }
    return this.#write([write], now)[0]!
  }

  async setMany(items: readonly StoreItem<V>[], options?: StoreCallOptions): Promise<boolean[]> {
    this.#begin(options)
    const now = this.clock.now()
    const writes = checkItems(items).map(item => this.#toWrite(item, now))
    const good = writes.filter(isWrite)
    const written = this.#write(good, now)
    if (good.length === items.length) return written
    this.#counters.refused += items.length - good.length
    let next = 0
    return writes.map(write => isWrite(write) && written[next++]!)
  }

  async delete(key: string, options?: StoreCallOptions): Promise<boolean> {
    return this.#invalidate([key], false, options) === 1
  }

  async deleteMany(keys: readonly string[], options?: StoreCallOptions): Promise<number> {
    return this.#invalidate(keys, false, options)
  }

  async expire(key: string, options?: StoreCallOptions): Promise<boolean> {
    return this.#invalidate([key], true, options) === 1
  }

  async expireMany(keys: readonly string[], options?: StoreCallOptions): Promise<number> {
    return this.#invalidate(keys, true, options)
  }

  async deleteTag(tag: string, options?: StoreCallOptions): Promise<void> {
    this.#begin(options)
    this.backend.invalidateTag(checkTag(tag), false)
  }

  async expireTag(tag: string, options?: StoreCallOptions): Promise<void> {
    this.#begin(options)
    this.backend.invalidateTag(checkTag(tag), true)
  }

  async clear(options?: StoreClearOptions): Promise<void> {
    const { expire = false, signal } = checkClearOptions(options)
    this.enter(signal)
    this.backend.clear(expire)
  }

  async *keys(options?: StoreKeysOptions): AsyncGenerator<string, void, undefined> {
    const { prefix = '', signal } = checkKeysOptions(options)
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

  #begin(options: StoreCallOptions | undefined): void {
    this.enter(checkCallOptions(options).signal)
  }

  #fence(): Fence {
    return { epoch: this.backend.epoch(), at: this.clock.now() }
  }

  #read(keys: readonly string[]): (StoreEntry<V> | undefined)[] {
    return this.backend.readMany(keys, this.clock.now()).map(stored => this.#entry(stored))
  }

  #entry(stored: StoredValue | undefined): StoreEntry<V> | undefined {
    if (stored === undefined) {
      this.#counters.misses++
      return undefined
    }
    const { packed, expires, retained, version, tags } = stored
    try {
      const value = this.#packer.unpack(packed)
      this.#counters.hits++
      return { value, expires, retained, version, tags, at: this.clock.now() }
    } catch {
      // Of another codec, as the bytes are those that were written: a miss as any other, and counted by itself. Who wrote it can read it.
      this.#counters.misses++
      this.#counters.corrupt++
      return undefined
    }
  }

  /** @throws {InvalidOptionError} */
  #toWrite(
    { key, value, tags = NO_TAGS, fence, ...lives }: StoreItem<V>,
    now: number,
  ): StoredWrite | UnencodableValueError {
    const { expires, retained } = this.#lifetimes.of(lives, now)
    try {
      const packed = this.#packer.pack(value)
      return { key, packed, expires, retained, tags: [...tags], fence }
    } catch (cause) {
      return cause instanceof UnencodableValueError ? cause : new UnencodableValueError({ cause })
    }
  }

  #write(writes: readonly StoredWrite[], now: number): boolean[] {
    if (writes.length === 0) return []
    const written = this.backend.write(writes, now)
    for (const stored of written) this.#counters[stored ? 'writes' : 'refused']++
    return written
  }

  #invalidate(
    keys: readonly string[],
    expire: boolean,
    options: StoreCallOptions | undefined,
  ): number {
    this.#begin(options)
    checkKeys(keys)
    if (keys.length === 0) return 0
    const concerned = this.backend.invalidate(keys, expire, this.clock.now())
    this.#counters.deletes += concerned
    return concerned
  }
}

describeStats<StoreStats>(LocalStore.prototype, STORE_STATS_KINDS)

const NO_TAGS: readonly string[] = []

function isWrite(write: StoredWrite | UnencodableValueError): write is StoredWrite {
  return !(write instanceof UnencodableValueError)
}
