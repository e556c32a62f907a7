import {
  type Clock,
  checkMethods,
  checkOptions,
  checkPositive,
  describeStats,
  monotonicClock,
  type OptionNames,
} from '@millrace/kit'
import {
  checkCallOptions,
  checkClearOptions,
  checkItems,
  checkKey,
  checkKeys,
  checkKeysOptions,
  checkSetOptions,
  checkTag,
} from '../store/contract/call-options.ts'
import { StoreClosedError, UnencodableValueError } from '../store/contract/errors.ts'
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
} from '../store/contract/store.ts'
import type { StoredEntry } from '../store/format/entry-format.ts'
import { originalKey, storableKey } from '../store/format/storable-key.ts'
import { PACKING_OPTIONS, type PackingOptions, ValuePacker } from '../store/format/value-packer.ts'
import { type LifetimeOptions, Lifetimes } from '../store/lifetimes.ts'
import { SteadyClock } from '../store/steady-clock.ts'
import { StoreCounters } from '../store/store-counters.ts'
import { StoreTimeoutError } from '../tiered/store/tier-errors.ts'
import { KeyvChanges, type KeyvWrite } from './keyv-changes.ts'
import { ALL, KeyvRecords, tagMark } from './keyv-records.ts'
import type { KeyvStorage } from './keyv-storage.ts'

/** Options of a {@link KeyvStore}. */
export interface KeyvStoreOptions<V> extends LifetimeOptions, PackingOptions<V> {
  /** ms for which one call of the adapter is waited for, above 0 and finite. Default: 2,000. */
  readonly timeout?: number | undefined
  /** Source of time, in ms since 1970. Default: the system's. Steps back are left out. */
  readonly clock?: Clock | undefined
}

const OPTIONS: OptionNames<KeyvStoreOptions<unknown>> = {
  ...PACKING_OPTIONS,
  ttl: true,
  retention: true,
  timeout: true,
  clock: true,
}

/**
 * A `Store` over any storage adapter of Keyv, for `TieredCache`: `new KeyvStore(new KeyvPostgres(url))`. Values, tags and invalidations
 * are records in the adapter; a read costs one call of it, one more where values have tags.
 *
 * An adapter cannot compare and set. Within one process the contract of `Store` holds. Between processes a load that another process
 * invalidates in the very moment in which it is written may be stored, and versions are times, so that their clocks must agree to within
 * the time that a load takes: where that matters, take a store of this family. A call of the adapter that is not answered within `timeout`
 * fails with `StoreTimeoutError`; what it writes afterwards is invalidated.
 */
export class KeyvStore<V = unknown> implements Store<V> {
  readonly #records: KeyvRecords
  readonly #packer: ValuePacker<V>
  readonly #lifetimes: Lifetimes
  readonly #clock: SteadyClock
  readonly #counters = new StoreCounters()
  readonly #changes: KeyvChanges
  #closed = false

  /**
   * @param storage closed by {@link close}
   * @throws {InvalidOptionError}
   */
  constructor(storage: KeyvStorage, options: KeyvStoreOptions<V> = {}) {
    checkMethods('storage', storage, 'a storage adapter of Keyv', ['get', 'set', 'delete', 'clear'])
    const { timeout = 2_000 } = checkOptions('', options as KeyvStoreOptions<unknown>, OPTIONS)
    checkPositive('timeout', timeout)
    this.#packer = new ValuePacker(options)
    this.#lifetimes = new Lifetimes(options)
    this.#clock = new SteadyClock(options.clock)
    this.#records = new KeyvRecords({
      storage,
      clock: this.#clock,
      counters: this.#counters,
      limit: {
        clock: options.clock ?? monotonicClock,
        timeout,
        expired: ms => new StoreTimeoutError(ms),
      },
      // If it cannot be noted now, the next reader of a damaged mark will try.
      onUnsure: name => this.#changes.invalidateRecord(name).catch(() => {}),
    })
    this.#changes = new KeyvChanges(this.#records, this.#clock)
  }

  async fence(options?: StoreCallOptions): Promise<Fence> {
    this.#begin(options)
    return this.#changes.fence()
  }

  async get(key: string, options?: StoreCallOptions): Promise<StoreEntry<V> | undefined> {
    return (await this.getMany([key], options))[0]
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
    const fence = this.#changes.fence()
    return { entries: await this.#read(checkKeys(keys)), fence }
  }

  async set(key: string, value: V, options?: StoreSetOptions & StoreCallOptions): Promise<boolean> {
    const { signal, ...how } = checkSetOptions(options)
    this.#enter(signal)
    const write = this.#toWrite({ ...how, key: checkKey(key), value })
    if (write instanceof UnencodableValueError) {
      this.#counters.refused++
      throw write
    }
    return this.#write(write)
  }

  async setMany(items: readonly StoreItem<V>[], options?: StoreCallOptions): Promise<boolean[]> {
    this.#begin(options)
    const writes = checkItems(items).map(item => this.#toWrite(item))
    return Promise.all(
      writes.map(write => {
        if (!(write instanceof UnencodableValueError)) return this.#write(write)
        this.#counters.refused++
        return false
      }),
    )
  }

  async delete(key: string, options?: StoreCallOptions): Promise<boolean> {
    return (await this.#invalidate([key], false, options)) === 1
  }

  deleteMany(keys: readonly string[], options?: StoreCallOptions): Promise<number> {
    return this.#invalidate(keys, false, options)
  }

  async expire(key: string, options?: StoreCallOptions): Promise<boolean> {
    return (await this.#invalidate([key], true, options)) === 1
  }

  expireMany(keys: readonly string[], options?: StoreCallOptions): Promise<number> {
    return this.#invalidate(keys, true, options)
  }

  async deleteTag(tag: string, options?: StoreCallOptions): Promise<void> {
    this.#begin(options)
    await this.#changes.mark(tagMark(storableKey(checkTag(tag))), false)
  }

  async expireTag(tag: string, options?: StoreCallOptions): Promise<void> {
    this.#begin(options)
    await this.#changes.mark(tagMark(storableKey(checkTag(tag))), true)
  }

  /** As everywhere; the adapter is cleared, which removes what it has in its namespace. */
  async clear(options?: StoreClearOptions): Promise<void> {
    const { expire = false, signal } = checkClearOptions(options)
    this.#enter(signal)
    if (expire) await this.#changes.mark(ALL, true)
    else {
      // Before, so that what is written meanwhile is outdated, and after, as the note itself is cleared.
      await this.#changes.mark(ALL, false)
      await this.#records.clear()
      await this.#changes.mark(ALL, false)
    }
  }

  /** @throws where the adapter has no `iterator` */
  async *keys(options?: StoreKeysOptions): AsyncGenerator<string, void> {
    const { prefix = '', signal } = checkKeysOptions(options)
    this.#enter(signal)
    for await (const keys of this.#records.pages()) {
      const judged = await this.#records.judge(keys)
      for (const [index, key] of keys.entries()) {
        if (judged[index]!.entry !== undefined && originalKey(key).startsWith(prefix)) {
          yield originalKey(key)
        }
        this.#enter(signal)
      }
    }
  }

  stats(): StoreStats {
    return this.#counters.snapshot()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#records.disconnect()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #begin(options: StoreCallOptions | undefined): void {
    this.#enter(checkCallOptions(options).signal)
  }

  /** @throws {StoreClosedError} or the signal's reason */
  #enter(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    if (this.#closed) throw new StoreClosedError()
  }

  async #write(write: KeyvWrite): Promise<boolean> {
    const written = await this.#changes.write(write)
    this.#counters[written ? 'writes' : 'refused']++
    return written
  }

  async #read(keys: readonly string[]): Promise<(StoreEntry<V> | undefined)[]> {
    const judged = await this.#records.judge(keys.map(storableKey))
    return judged.map(({ entry }) => this.#unpacked(entry))
  }

  #unpacked(entry: StoredEntry | undefined): StoreEntry<V> | undefined {
    if (entry === undefined) {
      this.#counters.misses++
      return undefined
    }
    const { packed, expires, retained, version, tags } = entry
    try {
      const value = this.#packer.unpack(packed)
      this.#counters.hits++
      return {
        value,
        expires,
        retained,
        version,
        tags: tags.map(originalKey),
        at: this.#clock.now(),
      }
    } catch {
      // Of another codec: a miss as any other, and counted by itself. Who wrote it can read it.
      this.#counters.misses++
      this.#counters.corrupt++
      return undefined
    }
  }

  /** @throws {InvalidOptionError} */
  #toWrite({
    key,
    value,
    tags = [],
    fence,
    ...lives
  }: StoreItem<V>): KeyvWrite | UnencodableValueError {
    const written = this.#clock.now()
    const { expires, retained } = this.#lifetimes.of(lives, written)
    let packed: Uint8Array
    try {
      packed = this.#packer.pack(value)
    } catch (error) {
      return error as UnencodableValueError
    }
    // The version is that of its beginning, not of its turn: what is invalidated while it waits is later.
    const version = fence?.epoch ?? this.#changes.nextEpoch(false)
    const names = tags.map(storableKey)
    const entry = {
      key: storableKey(key),
      expires,
      retained,
      written,
      version,
      tags: names,
      packed,
    }
    return { entry, fence }
  }

  async #invalidate(
    keys: readonly string[],
    expire: boolean,
    options: StoreCallOptions | undefined,
  ): Promise<number> {
    this.#begin(options)
    checkKeys(keys)
    const found = await Promise.all(
      [...new Set(keys)].map(key => this.#changes.invalidate(storableKey(key), expire)),
    )
    const concerned = found.filter(Boolean).length
    this.#counters.deletes += concerned
    return concerned
  }
}

describeStats<StoreStats>(KeyvStore.prototype, STORE_STATS_KINDS)
