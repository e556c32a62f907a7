import { randomUUID } from 'node:crypto'
import {
  type Store,
  type StoreCallOptions,
  StoreCounters,
  type StoreEntry,
  type StoreItem,
  type StoreSetOptions,
  storableKey,
} from '@millrace/cache-core/store'
import type { Invalidation } from '@millrace/cache-core/tiered'
import {
  checkBoolean,
  checkInteger,
  checkOptions,
  describeStats,
  InvalidOptionError,
} from '@millrace/kit'
import { type Client, primaries } from '../connection/client.ts'
import { CONNECTION_STATS_KINDS, Connection } from '../connection/connection.ts'
import { RedisUnavailableError } from '../errors.ts'
import { markOf, timeOf } from '../protocol/answer.ts'
import { DEFAULT_PREFIX, KeySpace } from '../protocol/key-space.ts'
import { Publisher } from '../protocol/publisher.ts'
import type { ScriptArgument } from '../protocol/script.ts'
import { type Answer, ScriptLines, type ShardMark } from '../protocol/script-line.ts'
import { literalStart, matchesGlob } from '../recovery/glob.ts'
import { Recovery } from '../recovery/recovery.ts'
import { type Batch, Batches } from './batches.ts'
import { decodeEntry, includedKey, storableTag } from './entry-format.ts'
import { fenceOf, markIn, type RedisFence } from './redis-fence.ts'
import {
  type RedisStoreOptions,
  type RedisStoreStats,
  STORE_OPTIONS,
} from './redis-store-options.ts'
import { type PreparedValue, ValueWriter } from './value-writer.ts'

const KEYS_PER_SCAN = 500

const READ: readonly ScriptArgument[] = ['g']
const NOTHING: readonly ScriptArgument[] = []

/** What the script answers for bytes that are none of ours, and for a key of another type. */
const CORRUPT = 3
const FOREIGN = 4
/** What it answers for a write that came after its timeout. */
const TOO_LATE = 2

/**
 * A {@link Store} in Redis or Valkey, one server, Sentinel or Cluster. Every operation takes one round trip and ends by its timeout, in
 * a result or a typed error.
 *
 * A value that was invalidated while it was computed is never served, whatever Redis loses, evicts or forgets: INVALIDATION.md has the
 * argument. An invalidation that failed, as Redis was away, is repeated until it is done; until then what it concerns is not taken from
 * Redis by this process.
 */
export class RedisStore<V = unknown> implements Store<V> {
  /** The client that the store uses. */
  readonly client: Client
  /** What its messages to other processes are signed with. */
  readonly id: string = randomUUID()
  readonly #connection: Connection
  readonly #space: KeySpace
  readonly #lines: ScriptLines
  readonly #publisher: Publisher
  readonly #values: ValueWriter<V>
  readonly #recovery: Recovery
  readonly #counters = new StoreCounters()
  #foreign = 0

  /** @throws {InvalidOptionError} */
  constructor(options: RedisStoreOptions<V>) {
    checkOptions<object>('', options, STORE_OPTIONS)
    const { prefix = DEFAULT_PREFIX, hashKeys = false, maxRecovery = 10_000 } = options
    checkBoolean('hashKeys', hashKeys)
    checkInteger('maxRecovery', maxRecovery, 1)
    this.#values = new ValueWriter(options, hashKeys)
    this.#connection = new Connection(options, options)
    this.client = this.#connection.client
    this.#space = new KeySpace(prefix, this.client, hashKeys)
    this.#lines = new ScriptLines(this.#connection, this.#space.shards, this.id)
    this.#publisher = new Publisher(this.#lines)
    this.#recovery = new Recovery(maxRecovery, this.client, this.#connection.clock, each =>
      this.#repeat(each),
    )
  }

  /** Names of the channels on which its invalidations travel. */
  get channels(): readonly string[] {
    return this.#space.shards.map(shard => this.#space.channel(shard))
  }

  /**
   * Resolves when Redis has answered. No call has to wait for it.
   *
   * @throws {RedisUnavailableError} if Redis refuses the credentials
   */
  async ready({ signal }: StoreCallOptions = {}): Promise<void> {
    await this.#connection.ready(signal)
    await this.#lines.all[0]!.submit('ready', [], NOTHING, 0, 0, signal)
  }

  async fence({ signal }: StoreCallOptions = {}): Promise<RedisFence> {
    const answers = await Promise.all(
      this.#lines.all.map(line => line.submit('fence', [], NOTHING, 0, 0, signal)),
    )
    return fenceOf(answers.map(markOf), timeOf(answers[0]!))
  }

  async get(key: string, { signal }: StoreCallOptions = {}): Promise<StoreEntry<V> | undefined> {
    const stored = storableKey(checkKey(key))
    const shard = this.#space.shardOf(stored)
    const name = shard.values + this.#space.label(stored)
    const answer = await this.#lines.of(shard).submit('get', [name], READ, 1, name.length, signal)
    const result = answer.reply[answer.from]
    return isLarge(result)
      ? this.#openLarge(key, stored, name, result, answer, signal)
      : this.#open(key, stored, result, answer)
  }

  async getMany(
    keys: readonly string[],
    { signal }: StoreCallOptions = {},
  ): Promise<(StoreEntry<V> | undefined)[]> {
    return (await this.#read('getMany', keys, signal)).entries
  }

  /** {@link getMany} and {@link fence} by one round trip. */
  async lookup(
    keys: readonly string[],
    { signal }: StoreCallOptions = {},
  ): Promise<{ readonly entries: (StoreEntry<V> | undefined)[]; readonly fence: RedisFence }> {
    const { entries, marks, at } = await this.#read('lookup', keys, signal)
    return { entries, fence: fenceOf(marks, at) }
  }

  async set(
    key: string,
    value: V,
    options: StoreSetOptions & StoreCallOptions = {},
  ): Promise<boolean> {
    const item = { ...options, key: checkKey(key), value }
    return this.#write('set', item, this.#values.prepare(item), options.signal)
  }

  /** A value that cannot be encoded, or is too large, is refused alone. */
  async setMany(
    items: readonly StoreItem<V>[],
    { signal }: StoreCallOptions = {},
  ): Promise<boolean[]> {
    const last = new Map(items.map((item, index) => [checkKey(item.key), index]))
    const prepared = items.map(item => {
      try {
        return this.#values.prepare(item)
      } catch (error) {
        if (error instanceof InvalidOptionError) throw error
        // Refused, and counted below.
        return undefined
      }
    })
    const stored = await Promise.all(
      prepared.map((each, index) => {
        const item = items[index]!
        if (each === undefined) return this.#refuse()
        // Of several for the same key only the last one counts.
        if (last.get(item.key) !== index) return true
        return this.#write('setMany', item, each, signal)
      }),
    )
    return stored
  }

  async delete(key: string, { signal }: StoreCallOptions = {}): Promise<boolean> {
    return (await this.#invalidateKeys('delete', 'delete', [key], signal)) === 1
  }

  /** Values that were gone by tag already may be counted. */
  deleteMany(keys: readonly string[], { signal }: StoreCallOptions = {}): Promise<number> {
    return this.#invalidateKeys('deleteMany', 'delete', keys, signal)
  }

  async expire(key: string, { signal }: StoreCallOptions = {}): Promise<boolean> {
    return (await this.#invalidateKeys('expire', 'expire', [key], signal)) === 1
  }

  /** As {@link deleteMany}. */
  expireMany(keys: readonly string[], { signal }: StoreCallOptions = {}): Promise<number> {
    return this.#invalidateKeys('expireMany', 'expire', keys, signal)
  }

  deleteTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    return this.#invalidateTag('delete', tag, signal)
  }

  expireTag(tag: string, { signal }: StoreCallOptions = {}): Promise<void> {
    return this.#invalidateTag('expire', tag, signal)
  }

  /** Takes effect at once, in one round trip; `clear` to gone then also frees the memory, by SCAN and UNLINK. */
  async clear({
    expire = false,
    signal,
  }: { readonly expire?: boolean | undefined } & StoreCallOptions = {}): Promise<void> {
    await this.#invalidateAll(expire ? 'expire' : 'delete', signal)
    if (expire) return
    for await (const page of this.#scan('', signal)) {
      await Promise.all(
        page.map(({ line, names }) =>
          line.submit('clear', names, Array(names.length).fill('u'), names.length, 0, signal),
        ),
      )
    }
  }

  async *keys({
    prefix = '',
    signal,
  }: { readonly prefix?: string | undefined } & StoreCallOptions = {}): AsyncGenerator<
    string,
    void,
    undefined
  > {
    if (typeof prefix !== 'string') throw new InvalidOptionError('prefix', 'a string', prefix)
    for await (const page of this.#scan(prefix, signal)) {
      const found = await Promise.all(page.map(batch => this.#present(batch, signal)))
      for (const key of found.flat()) {
        if (key.startsWith(prefix) && this.#recovery.queue.doubt(key, []) !== 'delete') yield key
      }
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
      this.#recovery.failed(error, invalidations)
      throw error
    }
  }

  stats(): RedisStoreStats {
    const { queue, repeated } = this.#recovery
    return {
      ...this.#counters.snapshot(),
      foreign: this.#foreign,
      recovering: queue.size,
      recovered: repeated,
      ...this.#connection.stats(),
    }
  }

  /** Closes the connection if the store made it. Failed invalidations that were not repeated yet are lost. */
  async close(): Promise<void> {
    this.#recovery.close()
    this.#lines.close()
    await this.#connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #read(
    operation: string,
    keys: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<{
    readonly entries: (StoreEntry<V> | undefined)[]
    readonly marks: readonly ShardMark[]
    readonly at: number
  }> {
    const entries: (StoreEntry<V> | undefined)[] = new Array(keys.length).fill(undefined)
    // Elsewhere it is as far as it was known to be before, which is never too far.
    const marks = this.#lines.all.map(line => line.mark)
    const read = new Set<number>()
    let at = 0
    const stored = keys.map(key => storableKey(checkKey(key)))
    await Promise.all(
      this.#batches(stored).map(async ({ line, names, indexes }) => {
        const args = Array(names.length).fill('g')
        const answer = await line.submit(operation, names, args, names.length, 0, signal)
        const { index: shard } = line.shard
        const mark = markOf(answer)
        // The oldest ground counts: what came after it may be missing in the values.
        if (!read.has(shard) || marks[shard]!.epoch > mark.epoch) marks[shard] = mark
        read.add(shard)
        at ||= timeOf(answer)
        await Promise.all(
          indexes.map(async (index, position) => {
            const result = answer.reply[answer.from + position]
            entries[index] = isLarge(result)
              ? await this.#openLarge(
                  keys[index]!,
                  stored[index]!,
                  names[position]!,
                  result,
                  answer,
                  signal,
                )
              : this.#open(keys[index]!, stored[index]!, result, answer)
          }),
        )
      }),
    )
    return { entries, marks, at }
  }

  /** What a read's result means. */
  #open(key: string, stored: string, result: unknown, answer: Answer): StoreEntry<V> | undefined {
    const stale = Array.isArray(result)
    const bytes = stale ? (result[0] as Buffer) : result
    if (!Buffer.isBuffer(bytes)) {
      if (result === CORRUPT) this.#counters.corrupt++
      if (result === FOREIGN) this.#foreign++
      this.#counters.misses++
      return undefined
    }
    this.#connection.receive(bytes.length)
    const found = decodeEntry(bytes, stored)
    const unpacked = found && this.#values.unpack(found)
    if (found === undefined || unpacked === undefined) {
      this.#counters.corrupt++
      this.#counters.misses++
      return undefined
    }
    const { queue } = this.#recovery
    const doubt = queue.size === 0 ? undefined : queue.doubt(key, found.tags)
    if (doubt === 'delete') {
      this.#counters.misses++
      return undefined
    }
    this.#counters.hits++
    const { retained, version, tags } = found
    const expires = stale || doubt === 'expire' ? 0 : found.expires
    const entry = { value: unpacked.value, expires, retained, version, tags, at: timeOf(answer) }
    return entry
  }

  /** Reads a value that was too large for the script's reply. */
  async #openLarge(
    key: string,
    stored: string,
    name: string,
    [size, version, stale]: LargeValue,
    answer: Answer,
    signal: AbortSignal | undefined,
  ): Promise<StoreEntry<V> | undefined> {
    if (size > this.#values.maxBytes + stored.length * 4 + 1_024) {
      return this.#open(key, stored, CORRUPT, answer)
    }
    const bytes = await this.#connection.run(
      'get',
      1,
      signal,
      client => client.getBuffer(name),
      size,
    )
    // Another one by now, or none: as if it had been so before.
    if (bytes === null || bytes.length < 40 || bytes.readDoubleLE(16) !== Number(version)) {
      return this.#open(key, stored, null, answer)
    }
    return this.#open(key, stored, stale === 1 ? [bytes] : bytes, answer)
  }

  async #write(
    operation: string,
    { key, fence }: StoreItem<V>,
    value: PreparedValue,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { stored, body, ttl, retention } = value
    const shard = this.#space.shardOf(stored)
    const line = this.#lines.of(shard)
    const label = this.#space.label(stored)
    const name = shard.values + label
    const mark = fence && markIn(fence, shard.index)
    if (fence !== undefined && (mark === undefined || mark.incarnation === 0)) return this.#refuse()
    const bytes = name.length + body.length
    const patience = this.#connection.timeoutFor(bytes)
    const end = this.#connection.clock.now() + patience
    const args: ScriptArgument[] = ['s', `k${label}`, stored, body, ttl, retention]
    args.push(mark?.epoch ?? '', mark?.incarnation ?? '')
    let result: unknown
    try {
      for (let left = patience; ; left = end - this.#connection.clock.now()) {
        const deadline = Math.floor((line.serverTime() + left) * 1_000)
        const answer = await line.submit(operation, [name], [...args, deadline], 1, bytes, signal)
        result = answer.reply[answer.from]
        // The server's clock was not known, or has been set: now it is known.
        if (result !== TOO_LATE || this.#connection.clock.now() >= end) break
      }
      if (Buffer.isBuffer(result)) throw refusal(operation, result)
    } catch (error) {
      // A write that was not confirmed may have been made or not, so that what is there is not known.
      if (fence === undefined)
        this.#recovery.failed(error, [{ verb: 'delete', target: 'key', name: key }])
      throw error
    }
    if (result === FOREIGN) this.#foreign++
    if (result !== 1) return this.#refuse()
    if (fence === undefined) this.#recovery.queue.forget('key', key)
    this.#counters.writes++
    return true
  }

  #refuse(): false {
    this.#counters.refused++
    return false
  }

  async #invalidateKeys(
    operation: string,
    verb: Invalidation['verb'],
    keys: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const stored = keys.map(key => storableKey(checkKey(key)))
    const counts = await Promise.all(
      this.#batches(stored).map(async ({ line, names, labels, indexes }) => {
        const args: ScriptArgument[] = []
        for (const [position, index] of indexes.entries()) {
          args.push(verb === 'delete' ? 'd' : 'x', `k${labels[position]}`, stored[index]!)
        }
        let answer: Answer
        try {
          answer = await line.submit(operation, names, args, names.length, 0, signal)
        } catch (error) {
          this.#recovery.failed(
            error,
            indexes.map(index => ({ verb, target: 'key', name: keys[index]! })),
          )
          throw error
        }
        let count = 0
        for (const [position, index] of indexes.entries()) {
          const result = answer.reply[answer.from + position]
          if (result === FOREIGN) this.#foreign++
          if (result === 1) count++
          this.#recovery.queue.forget('key', keys[index]!)
        }
        return count
      }),
    )
    const count = counts.reduce((sum, each) => sum + each, 0)
    this.#counters.deletes += count
    return count
  }

  async #invalidateTag(
    verb: Invalidation['verb'],
    tag: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const args: ScriptArgument[] = [verb === 'delete' ? 'D' : 'X', storableTag(tag)]
    try {
      await this.#everywhere(`${verb}Tag`, args, signal)
    } catch (error) {
      this.#recovery.failed(error, [{ verb, target: 'tag', name: tag }])
      throw error
    }
    this.#recovery.queue.forget('tag', tag)
  }

  async #invalidateAll(verb: Invalidation['verb'], signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#everywhere('clear', [verb === 'delete' ? 'C' : 'E'], signal)
    } catch (error) {
      this.#recovery.failed(error, [{ verb, target: 'all', name: '' }])
      throw error
    }
    if (verb === 'delete') this.#recovery.queue.clear()
  }

  /** Every shard judges its values by a journal of its own, so each has to know. */
  async #everywhere(
    operation: string,
    args: readonly ScriptArgument[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const calls = this.#lines.all.map(line => line.submit(operation, [], args, 1, 0, signal))
    // All have ended before the error is thrown, so that none takes effect behind the caller's back.
    for (const outcome of await Promise.allSettled(calls)) {
      if (outcome.status === 'rejected') throw outcome.reason
    }
  }

  /** Carries a failed invalidation out. */
  async #repeat({ verb, target, name }: Invalidation): Promise<unknown> {
    switch (target) {
      case 'key':
        return this.#repeatKeys(verb, [name])
      case 'tag':
        return this.#everywhere(
          'recover',
          [verb === 'delete' ? 'D' : 'X', storableTag(name)],
          undefined,
        )
      case 'all':
        return this.#everywhere('recover', [verb === 'delete' ? 'C' : 'E'], undefined)
      case 'pattern':
        for await (const page of this.#scan(literalStart(name), undefined)) {
          const found = await Promise.all(page.map(batch => this.#present(batch, undefined)))
          await this.#repeatKeys(
            verb,
            found.flat().filter(key => matchesGlob(name, key)),
          )
        }
        return this.#publisher.publish([{ verb, target, name }])
    }
  }

  async #repeatKeys(verb: Invalidation['verb'], keys: readonly string[]): Promise<void> {
    const stored = keys.map(storableKey)
    await Promise.all(
      this.#batches(stored).map(({ line, names, labels, indexes }) => {
        const args: ScriptArgument[] = []
        for (const [position, index] of indexes.entries()) {
          args.push(verb === 'delete' ? 'd' : 'x', `k${labels[position]}`, stored[index]!)
        }
        return line.submit('recover', names, args, names.length, 0)
      }),
    )
  }

  /** Keys of those names that have a value which is not gone. */
  async #present(
    { line, names, labels }: Batch,
    signal: AbortSignal | undefined,
  ): Promise<string[]> {
    const hashed = this.#space.hashed
    const args = Array(names.length).fill(hashed ? 'g' : 'a')
    const { reply, from } = await line.submit('keys', names, args, names.length, 0, signal)
    const keys: string[] = []
    for (const [position, label] of labels.entries()) {
      const result = reply[from + position]
      if (!hashed) {
        if (result === 1) keys.push(this.#space.keyOf(label))
        continue
      }
      const bytes = Array.isArray(result) ? result[0] : result
      const stored = Buffer.isBuffer(bytes) ? includedKey(bytes) : undefined
      if (stored !== undefined) keys.push(this.#space.keyOf(stored))
    }
    return keys
  }

  /** Pages of values by shard, as SCAN finds them on every primary. */
  async *#scan(
    prefix: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<readonly Batch[], void, undefined> {
    const pattern = this.#space.pattern(prefix)
    const nodes = await this.#connection.run('scan', 0, signal, client =>
      primaries(client, this.#space.shards[0]!.journal),
    )
    for (const node of nodes) {
      let cursor = '0'
      do {
        const [next, names] = await this.#connection.run('scan', 0, signal, () =>
          node.scan(cursor, 'MATCH', pattern, 'COUNT', KEYS_PER_SCAN),
        )
        cursor = next
        const batches = new Batches(this.#lines)
        for (const [index, name] of names.entries()) {
          const own = this.#space.locate(name)
          if (own !== undefined) batches.add(own.shard, own.label, index)
        }
        yield batches.all
      } while (cursor !== '0')
    }
  }

  #batches(stored: readonly string[]): readonly Batch[] {
    const batches = new Batches(this.#lines)
    for (const [index, each] of stored.entries()) {
      batches.add(this.#space.shardOf(each), this.#space.label(each), index)
    }
    return batches.all
  }
}

describeStats<RedisStoreStats>(RedisStore.prototype, {
  ...CONNECTION_STATS_KINDS,
  hits: 'counter',
  misses: 'counter',
  writes: 'counter',
  refused: 'counter',
  deletes: 'counter',
  evictions: 'counter',
  corrupt: 'counter',
  foreign: 'counter',
  recovering: 'gauge',
  recovered: 'counter',
})

/** What the script answers for a value that is too large for its reply. */
type LargeValue = readonly [size: number, version: Buffer, stale: number]

function isLarge(result: unknown): result is LargeValue {
  return Array.isArray(result) && typeof result[0] === 'number'
}

function checkKey(key: unknown): string {
  if (typeof key === 'string') return key
  throw new InvalidOptionError('key', 'a string', key)
}

/** An error of Redis that the script returned for one operation of several. */
function refusal(operation: string, message: Buffer): RedisUnavailableError {
  const cause = new Error(message.toString())
  cause.name = 'ReplyError'
  return new RedisUnavailableError(operation, 'reply', { cause })
}
