import {
  type Envelope,
  encodeEnvelope,
  type Fence,
  type LifetimeOptions,
  Lifetimes,
  type PackingOptions,
  type Store,
  type StoreCallOptions,
  StoreCounters,
  type StoreEntry,
  type StoreItem,
  type StoreLookup,
  type StoreSetOptions,
  type StoreStats,
  storableKey,
  ValuePacker,
} from '@millrace/cache-core/store'
import type { Redis } from 'ioredis'
import { type Client, isCluster, primaries } from './client.ts'
import { type Clock, systemClock } from './clock.ts'
import {
  Connection,
  type ConnectionOptions,
  type ConnectionStats,
  type ConnectionTarget,
} from './connection.ts'
import { readEntries } from './entry-reader.ts'
import { InvalidOptionError } from './errors.ts'
import { KeySpace } from './key-space.ts'
import { advance, expire, invalidateTag, keepTag, put, remove, takeFence } from './scripts.ts'

/** Options of a {@link RedisStore}, besides where Redis is. */
export interface RedisStoreSettings<V>
  extends LifetimeOptions,
    PackingOptions<V>,
    ConnectionOptions {
  /** Beginning of all its keys in Redis, without braces. Stores with different prefixes do not see each other. Default `millrace`. */
  readonly prefix?: string
  /**
   * ms for which a deleted key refuses values computed before, > 0: longer than any load takes, as a fence older than this
   * is refused. Default 60,000.
   */
  readonly barrierLife?: number
}

/** Options of a {@link RedisStore}. */
export type RedisStoreOptions<V> = RedisStoreSettings<V> & ConnectionTarget

/** Counters of a {@link RedisStore}. */
export interface RedisStoreStats extends StoreStats, ConnectionStats {}

const KEYS_PER_SCAN = 500
/** Beyond this many ms Redis' own arithmetic could overflow; it is 285,000 years. */
const FOR_EVER = 2 ** 53

/**
 * A {@link Store} in Redis or Valkey, one server, Sentinel or Cluster. Reads take one round trip (in a Cluster two where values
 * have tags), a `set` with a fence one, other writes two.
 *
 * Every operation ends by its deadline, in a result or a typed error. The promise that a value invalidated while it was
 * computed is never served holds as long as Redis evicts no barrier within its life: give Redis room, or the policy `noeviction`.
 */
export class RedisStore<V = unknown> implements Store<V> {
  /** The client that the store uses. */
  readonly client: Client
  readonly #connection: Connection
  readonly #space: KeySpace
  readonly #packer: ValuePacker<V>
  readonly #lifetimes: Lifetimes
  readonly #barrierLife: number
  readonly #clock: Clock
  readonly #counters = new StoreCounters()

  /** @throws {InvalidOptionError} */
  constructor(options: RedisStoreOptions<V>) {
    const { prefix = 'millrace', barrierLife = 60_000, clock = systemClock } = options
    if (!(barrierLife > 0 && barrierLife < FOR_EVER)) {
      throw new InvalidOptionError('barrierLife', 'a finite number > 0', barrierLife)
    }
    this.#space = new KeySpace(prefix)
    this.#packer = new ValuePacker(options)
    this.#lifetimes = new Lifetimes(options)
    this.#barrierLife = Math.ceil(barrierLife)
    this.#clock = clock
    this.#connection = new Connection(options, options)
    this.client = this.#connection.client
  }

  fence({ signal }: StoreCallOptions = {}): Promise<Fence> {
    return this.#connection.run('fence', 0, signal, client => this.#takeFence(client))
  }

  async get(key: string, options: StoreCallOptions = {}): Promise<StoreEntry<V> | undefined> {
    const [entry] = await this.#read('get', [key], options.signal)
    return entry
  }

  getMany(
    keys: readonly string[],
    { signal }: StoreCallOptions = {},
  ): Promise<(StoreEntry<V> | undefined)[]> {
    return this.#read('getMany', keys, signal)
  }

  async lookup(
    keys: readonly string[],
    { signal }: StoreCallOptions = {},
  ): Promise<StoreLookup<V>> {
    const fence = await this.fence({ signal })
    return { entries: await this.#read('lookup', keys, signal), fence }
  }

  async set(
    key: string,
    value: V,
    options: StoreSetOptions & StoreCallOptions = {},
  ): Promise<boolean> {
    const [stored] = await this.#write('set', [{ ...options, key, value }], options.signal)
    return stored!
  }

  setMany(items: readonly StoreItem<V>[], { signal }: StoreCallOptions = {}): Promise<boolean[]> {
    return this.#write('setMany', items, signal)
  }

  async delete(key: string, { signal }: StoreCallOptions = {}): Promise<boolean> {
    return (await this.#remove('delete', [key], signal)) === 1
  }

  /** Values that were gone by tag already may be counted. */
  deleteMany(keys: readonly string[], { signal }: StoreCallOptions = {}): Promise<number> {
    return this.#remove('deleteMany', keys, signal)
  }

  async expire(key: string, { signal }: StoreCallOptions = {}): Promise<boolean> {
    const there = await this.#connection.run('expire', 1, signal, async client => {
      const version = await this.#advance(client, '')
      const names = [this.#space.value(key), this.#space.barrier(key)]
      return (await expire.run(client, names, [version, this.#barrierLife])) === 1
    })
    if (there) this.#counters.deletes++
    return there
  }

  async expireMany(keys: readonly string[], options: StoreCallOptions = {}): Promise<number> {
    const expired = await Promise.all(keys.map(key => this.expire(key, options)))
    return expired.filter(Boolean).length
  }

  deleteTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    return this.#invalidateTag('deleteTag', tag, 'd', signal)
  }

  expireTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    return this.#invalidateTag('expireTag', tag, 'e', signal)
  }

  /** Takes effect at once, in one round trip; `clear` to gone then also frees the memory, by SCAN and UNLINK. */
  async clear({
    expire = false,
    signal,
  }: { readonly expire?: boolean } & StoreCallOptions = {}): Promise<void> {
    await this.#connection.run('clear', 0, signal, client =>
      this.#advance(client, expire ? 'expired' : 'cleared'),
    )
    if (expire) return
    for await (const { node, names } of this.#scan(this.#space.pattern(), signal)) {
      await this.#connection.run('clear', names.length, signal, async () => {
        // One key per command: in a Cluster they lie in different slots.
        await Promise.all(names.map(name => node.unlink(name)))
      })
    }
  }

  async *keys({
    prefix = '',
    signal,
  }: { readonly prefix?: string } & StoreCallOptions = {}): AsyncGenerator<
    string,
    void,
    undefined
  > {
    for await (const { names } of this.#scan(this.#space.pattern(prefix), signal)) {
      const keys = names
        .map(name => this.#space.keyOf(name))
        .filter(key => key?.startsWith(prefix) === true) as string[]
      if (keys.length === 0) continue
      const entries = await this.#connection.run('keys', keys.length, signal, client =>
        readEntries(client, this.#space, keys),
      )
      for (const [index, { envelope }] of entries.entries()) {
        if (envelope !== undefined) yield keys[index]!
      }
    }
  }

  stats(): RedisStoreStats {
    return { ...this.#counters.snapshot(), ...this.#connection.stats() }
  }

  /** Closes the connection if the store made it. */
  close(): Promise<void> {
    return this.#connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #takeFence(client: Client): Promise<Fence> {
    const [epoch, time] = (await takeFence.run(client, [this.#space.state], [])) as string[]
    return { epoch: Number(epoch), at: Number(time) / 1_000 }
  }

  /** The version of a new invalidation. */
  async #advance(client: Client, field: '' | 'cleared' | 'expired'): Promise<string> {
    return (await advance.run(client, [this.#space.state], [field])) as string
  }

  async #read(
    operation: string,
    keys: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<(StoreEntry<V> | undefined)[]> {
    if (keys.length === 0) return []
    const entries = await this.#connection.run(operation, keys.length, signal, client =>
      readEntries(client, this.#space, keys),
    )
    return entries.map(({ envelope, corrupt }) => {
      const entry = envelope && this.#unpack(envelope)
      if (corrupt || (envelope !== undefined && entry === undefined)) this.#counters.corrupt++
      if (entry === undefined) this.#counters.misses++
      else this.#counters.hits++
      return entry
    })
  }

  #unpack({ packed, expires, retained, version, tags }: Envelope): StoreEntry<V> | undefined {
    try {
      return { value: this.#packer.unpack(packed), expires, retained, version, tags }
    } catch {
      // Bytes of a codec that this store does not have: a miss, counted by the caller.
      return undefined
    }
  }

  async #write(
    operation: string,
    items: readonly StoreItem<V>[],
    signal: AbortSignal | undefined,
  ): Promise<boolean[]> {
    if (items.length === 0) return []
    const now = this.#clock.now()
    const writes = items.map(item => ({
      item,
      packed: this.#packer.pack(item.value),
      ...this.#lifetimes.of(item, now),
    }))
    const stored = await this.#connection.run(operation, items.length, signal, async client => {
      const unfenced = items.some(item => item.fence === undefined)
      const own = unfenced ? Number(await this.#advance(client, '')) : Number.NaN
      return Promise.all(
        writes.map(({ item, packed, expires, retained }) => {
          const { key, tags = [], fence } = item
          const version = fence?.epoch ?? own
          const stored = { key: storableKey(key), expires, retained, version, tags, packed }
          const life = Math.ceil(retained - now)
          return this.#put(client, key, stored, life < FOR_EVER ? life : 0, fence)
        }),
      )
    })
    for (const each of stored) this.#counters[each ? 'writes' : 'refused']++
    return stored
  }

  async #put(
    client: Client,
    key: string,
    envelope: Envelope,
    life: number,
    fence: Fence | undefined,
  ): Promise<boolean> {
    const names = [this.#space.value(key), this.#space.barrier(key)]
    const tags = envelope.tags.map(tag => this.#space.tag(tag))
    const version = envelope.version.toFixed(0)
    const begun = fence === undefined ? '' : fence.at * 1_000
    const args = [version, encodeEnvelope(envelope), life, begun, this.#barrierLife]
    if (!isCluster(client)) return (await put.run(client, [...names, ...tags], args)) === 1
    const [stored, ...tagVersions] = await Promise.all([
      put.run(client, names, args),
      ...tags.map(tag => keepTag.run(client, [tag], [version, life])),
    ])
    // A value whose tag was invalidated meanwhile may have been stored, but no reader takes it.
    return stored === 1 && tagVersions.every(invalidated => Number(invalidated) <= envelope.version)
  }

  async #remove(
    operation: string,
    keys: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<number> {
    if (keys.length === 0) return 0
    const removed = await this.#connection.run(operation, keys.length, signal, async client => {
      const version = await this.#advance(client, '')
      const results = await Promise.all(
        keys.map(key => {
          const names = [this.#space.value(key), this.#space.barrier(key)]
          return remove.run(client, names, [version, this.#barrierLife])
        }),
      )
      return results.filter(result => result === 1).length
    })
    this.#counters.deletes += removed
    return removed
  }

  #invalidateTag(
    operation: string,
    tag: string,
    field: 'd' | 'e',
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return this.#connection.run(operation, 0, signal, async client => {
      const version = await this.#advance(client, '')
      await invalidateTag.run(client, [this.#space.tag(tag)], [field, version, this.#barrierLife])
    })
  }

  /** Pages of names that match, from every primary. */
  async *#scan(
    pattern: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<{ node: Redis; names: string[] }, void, undefined> {
    const nodes = await this.#connection.run('scan', 0, signal, async client => primaries(client))
    for (const node of nodes) {
      let cursor = '0'
      do {
        const [next, names] = await this.#connection.run('scan', 0, signal, () =>
          node.scan(cursor, 'MATCH', pattern, 'COUNT', KEYS_PER_SCAN),
        )
        cursor = next
        if (names.length > 0) yield { node, names }
      } while (cursor !== '0')
    }
  }
}
