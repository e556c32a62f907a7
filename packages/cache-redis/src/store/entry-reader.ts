import {
  checkCallOptions,
  checkKey,
  checkKeys,
  type StoreCallOptions,
  type StoreEntry,
  storableKey,
} from '@millrace/cache-core/store'
import { checkList } from '@millrace/kit'
import { type Answer, markOf, type ShardMark, timeOf } from '../protocol/answer.ts'
import type { Shard } from '../protocol/key-space.ts'
import type { ScriptArgument } from '../protocol/script.ts'
import { BATCHES_AT_ONCE, type Batch, batchesOf } from './batches.ts'
import { decodeEntry } from './entry-format.ts'
import { inWaves } from './in-waves.ts'
import { fenceOf, type RedisFence } from './redis-fence.ts'
import { FOREIGN, type StoreBase } from './store-base.ts'

/** What the script answers for bytes that are none of ours. */
const CORRUPT = 3
const READ: readonly ScriptArgument[] = ['g']

/** What the script answers for a value that is too large for its reply. */
type LargeValue = readonly [size: number, version: Buffer, stale: number]

/** A key on its way to its value. */
interface Wanted {
  readonly key: string
  /** The key in storable form. */
  readonly stored: string
  readonly shard: Shard
  /** The value's name in Redis, without ioredis' `keyPrefix`. */
  readonly name: string
}

/** Values, and the ground that the reading of them stands on. */
interface Reading<V> {
  readonly entries: (StoreEntry<V> | undefined)[]
  /** How far each shard was, or was known to be before if none of its values was read. */
  readonly marks: readonly ShardMark[]
  /** The server's time, ms since 1970; 0 if nothing was read. */
  readonly at: number
}

/** Reads values by the script, which judges them. */
export class EntryReader<V> {
  readonly #base: StoreBase<V>

  constructor(base: StoreBase<V>) {
    this.#base = base
  }

  async get(key: string, options?: StoreCallOptions): Promise<StoreEntry<V> | undefined> {
    const { signal } = checkCallOptions(options)
    const wanted = this.#wanted(key)
    const answer = await this.#ask('get', wanted, signal)
    const result = answer.reply[answer.from]
    if (isLarge(result)) return this.#openLarge(wanted, result, answer, signal)
    return this.#open(wanted, result, answer)
  }

  async getMany(
    keys: readonly string[],
    options?: StoreCallOptions,
  ): Promise<(StoreEntry<V> | undefined)[]> {
    const { signal } = checkCallOptions(options)
    return (await this.#many('getMany', checkKeys(keys), signal)).entries
  }

  async lookup(
    keys: readonly string[],
    options?: StoreCallOptions,
  ): Promise<{ readonly entries: (StoreEntry<V> | undefined)[]; readonly fence: RedisFence }> {
    const { signal } = checkCallOptions(options)
    // The case of a load, in as few steps as it can be: "L1 and L2, from cold" of the benchmarks.
    if (checkList('keys', keys).length !== 1) {
      const { entries, marks, at } = await this.#many('lookup', checkKeys(keys), signal)
      return { entries, fence: fenceOf(marks, at) }
    }
    const wanted = this.#wanted(keys[0]!)
    const marks = this.#base.lines.all.map(line => line.mark)
    const answer = await this.#ask('lookup', wanted, signal)
    const result = answer.reply[answer.from]
    const entry = isLarge(result)
      ? await this.#openLarge(wanted, result, answer, signal)
      : this.#open(wanted, result, answer)
    marks[wanted.shard.index] = markOf(answer)
    return { entries: [entry], fence: fenceOf(marks, timeOf(answer)) }
  }

  #wanted(key: string): Wanted {
    const { space } = this.#base
    const stored = storableKey(checkKey(key))
    const shard = space.shardOf(stored)
    return { key, stored, shard, name: shard.values + space.label(stored) }
  }

  #ask(
    operation: string,
    { name, shard }: Wanted,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    return this.#base.lines.of(shard).submit(operation, [name], READ, 1, 0, signal)
  }

  async #many(
    operation: string,
    keys: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Reading<V>> {
    const { lines } = this.#base
    const entries: (StoreEntry<V> | undefined)[] = new Array(keys.length).fill(undefined)
    // Elsewhere it is as far as it was known to be before, which is never too far.
    const marks = lines.all.map(line => line.mark)
    const read = new Set<Shard>()
    let at = 0
    const stored = keys.map(storableKey)
    const ask = async ({ line, names, indexes }: Batch): Promise<void> => {
      const args = Array(names.length).fill('g')
      const answer = await line.submit(operation, names, args, names.length, 0, signal)
      const { shard } = line
      const mark = markOf(answer)
      // The oldest ground counts: what came after it may be missing in the values.
      if (!read.has(shard) || marks[shard.index]!.epoch > mark.epoch) marks[shard.index] = mark
      read.add(shard)
      at ||= timeOf(answer)
      const large: Promise<void>[] = []
      for (const [position, index] of indexes.entries()) {
        const result = answer.reply[answer.from + position]
        const wanted = {
          key: keys[index]!,
          stored: stored[index]!,
          shard,
          name: names[position]!,
        }
        if (!isLarge(result)) entries[index] = this.#open(wanted, result, answer)
        else {
          const opened = this.#openLarge(wanted, result, answer, signal)
          large.push(opened.then(entry => void (entries[index] = entry)))
        }
      }
      await Promise.all(large)
    }
    const batches = batchesOf(this.#base, stored)
    await inWaves(this.#base.connection, batches, BATCHES_AT_ONCE, ask, () => undefined)
    return { entries, marks, at }
  }

  /** What a read's result means. */
  #open({ key, stored }: Wanted, result: unknown, answer: Answer): StoreEntry<V> | undefined {
    const { connection, values, recovery, counters } = this.#base
    const stale = Array.isArray(result)
    const bytes = stale ? (result[0] as Buffer) : result
    if (!Buffer.isBuffer(bytes)) {
      if (result === CORRUPT) counters.corrupt++
      if (result === FOREIGN) counters.foreign++
      counters.misses++
      return undefined
    }
    connection.receive(bytes.length)
    const found = decodeEntry(bytes, stored)
    const unpacked = found && values.unpack(found)
    if (found === undefined || unpacked === undefined) {
      counters.corrupt++
      counters.misses++
      return undefined
    }
    const { queue } = recovery
    const doubt = queue.size === 0 ? undefined : queue.doubt(key, found.tags)
    if (doubt === 'delete') {
      counters.misses++
      return undefined
    }
    counters.hits++
    const { retained, version, tags } = found
    const expires = stale || doubt === 'expire' ? 0 : found.expires
    return { value: unpacked.value, expires, retained, version, tags, at: timeOf(answer) }
  }

  /** Reads a value that was too large for the script's reply. */
  async #openLarge(
    wanted: Wanted,
    [size, version, stale]: LargeValue,
    answer: Answer,
    signal: AbortSignal | undefined,
  ): Promise<StoreEntry<V> | undefined> {
    const { connection, values } = this.#base
    if (size > values.maxBytes + wanted.stored.length * 4 + 1_024) {
      return this.#open(wanted, CORRUPT, answer)
    }
    const read = (client: typeof connection.client) => client.getBuffer(wanted.name)
    const bytes = await connection.run('get', 1, signal, read, size)
    // Another one by now, or none: as if it had been so before.
    if (bytes === null || bytes.length < 40 || bytes.readDoubleLE(16) !== Number(version)) {
      return this.#open(wanted, null, answer)
    }
    return this.#open(wanted, stale === 1 ? [bytes] : bytes, answer)
  }
}

function isLarge(result: unknown): result is LargeValue {
  return Array.isArray(result) && typeof result[0] === 'number'
}
