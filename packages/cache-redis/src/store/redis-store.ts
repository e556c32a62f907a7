import { randomUUID } from 'node:crypto'
import {
  checkCallOptions,
  checkClearOptions,
  checkKeysOptions,
  type Store,
  type StoreCallOptions,
  type StoreClearOptions,
  StoreCounters,
  type StoreEntry,
  type StoreItem,
  type StoreKeysOptions,
  type StoreSetOptions,
  storableKey,
} from '@millrace/cache-core/store'
import type { Invalidation } from '@millrace/cache-core/tiered'
import { checkBoolean, checkInteger, checkOptions, counters, describeStats } from '@millrace/kit'
import type { Client } from '../connection/client.ts'
import { CONNECTION_STATS_KINDS, Connection } from '../connection/connection.ts'
import { markOf, timeOf } from '../protocol/answer.ts'
import { checkPrefix, DEFAULT_PREFIX, KeySpace } from '../protocol/key-space.ts'
import { Publisher } from '../protocol/publisher.ts'
import { ScriptLines } from '../protocol/script-line.ts'
import { shareLines } from '../protocol/store-lines.ts'
import { Recovery } from '../recovery/recovery.ts'
import { Eliminator } from './eliminator.ts'
import { EntryReader } from './entry-reader.ts'
import { EntryWriter } from './entry-writer.ts'
import { KeyScan } from './key-scan.ts'
import { fenceOf, type RedisFence } from './redis-fence.ts'
import {
  type RedisStoreOptions,
  type RedisStoreStats,
  STORE_OPTIONS,
} from './redis-store-options.ts'
import type { RedisCounters, StoreBase } from './store-base.ts'
import { ValueWriter } from './value-writer.ts'

/** The lane of repetitions that concern every shard. */
const WIDE = -1

class Counters extends StoreCounters implements RedisCounters {
  foreign = 0
}

/**
 * A {@link Store} in Redis or Valkey, one server, Sentinel or Cluster. Every operation takes one round trip and ends by its timeout, in
 * a result or a typed error.
 *
 * A value that was invalidated while it was computed is never served, whatever Redis loses, evicts or forgets: INVALIDATION.md has the
 * argument. An invalidation that failed, as Redis was away, is repeated until it is done; until then what it concerns is not taken from
 * Redis by this process.
 *
 * Calls refuse options that they do not know with `InvalidOptionError`, as the constructor does.
 */
export class RedisStore<V = unknown> implements Store<V> {
  /** The client that the store uses. */
  readonly client: Client
  /** What its messages to other processes are signed with. */
  readonly id: string = randomUUID()
  readonly #base: StoreBase<V>
  readonly #publisher: Publisher
  readonly #reader: EntryReader<V>
  readonly #writer: EntryWriter<V>
  readonly #scan: KeyScan
  readonly #eliminator: Eliminator

  /** @throws {InvalidOptionError} */
  constructor(options: RedisStoreOptions<V>) {
    checkOptions<object>('', options, STORE_OPTIONS)
    const { prefix = DEFAULT_PREFIX, hashKeys = false, maxRecovery = 10_000 } = options
    checkPrefix(prefix)
    checkBoolean('hashKeys', hashKeys)
    checkInteger('maxRecovery', maxRecovery, 1)
    const values = new ValueWriter(options, hashKeys)
    const connection = new Connection(options, options)
    const { client, clock } = connection
    this.client = client
    const space = new KeySpace(prefix, client, hashKeys)
    const signature = { sender: this.id, layout: hashKeys ? 2 : 1 } as const
    const lines = new ScriptLines(connection, space.shards, signature)
    shareLines(this, lines)
    const recovery = new Recovery(maxRecovery, client, clock, {
      repeat: each => this.#eliminator.repeat(each),
      // A shard without a server holds up what concerns it, or all shards, and nothing else.
      laneOf: ({ target, name }) =>
        target === 'key' ? space.shardOf(storableKey(name)).index : WIDE,
    })
    this.#base = { connection, space, lines, values, recovery, counters: new Counters() }
    this.#publisher = new Publisher(lines)
    this.#reader = new EntryReader(this.#base)
    this.#writer = new EntryWriter(this.#base)
    const base = this.#base as StoreBase<never>
    this.#scan = new KeyScan(base)
    this.#eliminator = new Eliminator(base, this.#scan, this.#publisher)
  }

  /** Names of the channels on which its invalidations travel. */
  get channels(): readonly string[] {
    const { space } = this.#base
    return space.shards.map(shard => space.channel(shard))
  }

  /**
   * Resolves when Redis has answered. No call has to wait for it.
   *
   * @throws {RedisUnavailableError} if Redis refuses the credentials, or the client does not connect any more
   * @throws {StoreClosedError} after `close`, and if it comes first
   * @throws the signal's reason
   */
  async ready(options?: StoreCallOptions): Promise<void> {
    const { signal } = checkCallOptions(options)
    await this.#base.connection.ready(signal)
    await this.#base.lines.all[0]!.submit('ready', [], [], 0, 0, signal)
  }

  async fence(options?: StoreCallOptions): Promise<RedisFence> {
    const { signal } = checkCallOptions(options)
    const { connection, lines } = this.#base
    const answers = await Promise.all(
      connection.together(() => lines.all.map(line => line.submit('fence', [], [], 0, 0, signal))),
    )
    return fenceOf(answers.map(markOf), timeOf(answers[0]!))
  }

  get(key: string, options?: StoreCallOptions): Promise<StoreEntry<V> | undefined> {
    return this.#reader.get(key, options)
  }

  getMany(
    keys: readonly string[],
    options?: StoreCallOptions,
  ): Promise<(StoreEntry<V> | undefined)[]> {
    return this.#reader.getMany(keys, options)
  }

  /** {@link getMany} and {@link fence} by one round trip. */
  lookup(
    keys: readonly string[],
    options?: StoreCallOptions,
  ): Promise<{ readonly entries: (StoreEntry<V> | undefined)[]; readonly fence: RedisFence }> {
    return this.#reader.lookup(keys, options)
  }

  set(key: string, value: V, options?: StoreSetOptions & StoreCallOptions): Promise<boolean> {
    return this.#writer.set(key, value, options)
  }

  /** A value that cannot be encoded, or is too large, is refused alone. */
  setMany(items: readonly StoreItem<V>[], options?: StoreCallOptions): Promise<boolean[]> {
    return this.#writer.setMany(items, options)
  }

  async delete(key: string, options?: StoreCallOptions): Promise<boolean> {
    const { signal } = checkCallOptions(options)
    return (await this.#eliminator.keys('delete', 'delete', [key], signal)) === 1
  }

  /** Values that were gone by tag already may be counted. */
  async deleteMany(keys: readonly string[], options?: StoreCallOptions): Promise<number> {
    return this.#eliminator.keys('deleteMany', 'delete', keys, checkCallOptions(options).signal)
  }

  async expire(key: string, options?: StoreCallOptions): Promise<boolean> {
    const { signal } = checkCallOptions(options)
    return (await this.#eliminator.keys('expire', 'expire', [key], signal)) === 1
  }

  /** As {@link deleteMany}. */
  async expireMany(keys: readonly string[], options?: StoreCallOptions): Promise<number> {
    return this.#eliminator.keys('expireMany', 'expire', keys, checkCallOptions(options).signal)
  }

  async deleteTag(tag: string, options?: StoreCallOptions): Promise<void> {
    return this.#eliminator.tag('delete', tag, checkCallOptions(options).signal)
  }

  async expireTag(tag: string, options?: StoreCallOptions): Promise<void> {
    return this.#eliminator.tag('expire', tag, checkCallOptions(options).signal)
  }

  /** Takes effect at once, in one round trip; `clear` to gone then also frees the memory, by SCAN and UNLINK. */
  async clear(options?: StoreClearOptions): Promise<void> {
    const { expire = false, signal } = checkClearOptions(options)
    await this.#eliminator.all(expire ? 'expire' : 'delete', signal)
    if (!expire) await this.#eliminator.free(signal)
  }

  async *keys(options?: StoreKeysOptions): AsyncGenerator<string, void, undefined> {
    const { prefix = '', signal } = checkKeysOptions(options)
    const { queue } = this.#base.recovery
    for await (const page of this.#scan.keys(prefix, signal)) {
      for (const key of page) if (queue.doubt(key, []) !== 'delete') yield key
    }
  }

  /**
   * Tells other processes of invalidations that this store did not make itself, such as those of a pattern; those that fail are
   * repeated as its own are.
   */
  async publish(invalidations: readonly Invalidation[]): Promise<void> {
    try {
      await this.#publisher.publish(invalidations)
    } catch (error) {
      this.#base.recovery.failed(error, invalidations)
      throw error
    }
  }

  stats(): RedisStoreStats {
    const { connection, counters, recovery } = this.#base
    return {
      ...counters.snapshot(),
      foreign: counters.foreign,
      recovering: recovery.queue.size,
      recovered: recovery.repeated,
      ...connection.stats(),
    }
  }

  /** Closes the connection if the store made it. Failed invalidations that were not repeated yet are lost. */
  async close(): Promise<void> {
    this.#base.recovery.close()
    this.#base.lines.close()
    await this.#base.connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

describeStats<RedisStoreStats>(RedisStore.prototype, {
  ...CONNECTION_STATS_KINDS,
  recovering: 'gauge',
  ...counters('hits', 'misses', 'writes', 'refused', 'deletes', 'evictions'),
  ...counters('corrupt', 'foreign', 'recovered'),
})
