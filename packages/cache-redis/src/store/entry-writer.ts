import {
  checkCallOptions,
  checkItems,
  checkKey,
  checkSetOptions,
  type StoreCallOptions,
  type StoreItem,
  type StoreSetOptions,
  storableKey,
} from '@millrace/cache-core/store'
import type { Invalidation } from '@millrace/cache-core/tiered'
import { InvalidOptionError } from '@millrace/kit'
import { RedisTimeoutError, RedisUnavailableError } from '../errors.ts'
import { inWaves, MOST_AT_ONCE } from './in-waves.ts'
import { markIn } from './redis-fence.ts'
import { FOREIGN, type StoreBase } from './store-base.ts'
import type { PreparedValue } from './value-writer.ts'

/** What the script answers for a write that came after its timeout. */
const TOO_LATE = 2
/** Attempts to write while the caller still waits, though each came too late: the event loop was held up. */
const ATTEMPTS = 2

/** Writes values by the script, which refuses those that were outdated since their fence. */
export class EntryWriter<V> {
  readonly #base: StoreBase<V>

  constructor(base: StoreBase<V>) {
    this.#base = base
  }

  /** Whether the value was stored. */
  async set(key: string, value: V, options?: StoreSetOptions & StoreCallOptions): Promise<boolean> {
    const { signal, ...how } = checkSetOptions(options)
    const item = { ...how, key: checkKey(key), value }
    const prepared = this.#base.values.prepare(item)
    const order = this.#base.recovery.begin()
    if (!this.#hasTime()) await this.#learnTime('set', [item], order, signal)
    return this.#write('set', item, prepared, order, signal)
  }

  /** A value that cannot be encoded, or is too large, is refused alone. */
  async setMany(items: readonly StoreItem<V>[], options?: StoreCallOptions): Promise<boolean[]> {
    const { signal } = checkCallOptions(options)
    const all = checkItems(items)
    const { connection, recovery } = this.#base
    const order = recovery.begin()
    // The case of a load, in as few steps as it can be: "L1 and L2, from cold" of the benchmarks.
    if (all.length === 1) {
      const item = all[0]!
      const value = this.#prepare(item)
      if (value === undefined) return [this.#refuse()]
      if (!this.#hasTime()) await this.#learnTime('setMany', all, order, signal)
      return [await this.#write('setMany', item, value, order, signal)]
    }
    const last = new Map(all.map(({ key }, index) => [key, index]))
    const prepared = all.map(item => this.#prepare(item))
    if (!this.#hasTime()) await this.#learnTime('setMany', all, order, signal)
    const write = (value: PreparedValue | undefined, index: number): boolean | Promise<boolean> => {
      const item = all[index]!
      if (value === undefined) return this.#refuse()
      // Of several for the same key only the last one counts.
      if (last.get(item.key) !== index) return true
      return this.#write('setMany', item, value, order, signal)
    }
    return inWaves(connection, prepared, MOST_AT_ONCE, write, (rest, error) => {
      const skipped = all.slice(all.length - rest.length)
      recovery.failed(error, unfenced(skipped).map(deletion), order)
    })
  }

  /** Whether the server's time is known everywhere, so that a write is sent at once, in the order of the calls. */
  #hasTime(): boolean {
    for (const line of this.#base.lines.all) if (!line.hasTime) return false
    return true
  }

  /** Asks those shards for their server's time that have not said it yet, as writes end by it. */
  async #learnTime(
    operation: string,
    items: readonly StoreItem<V>[],
    order: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { space, connection, lines, recovery } = this.#base
    const concerned = new Set(items.map(({ key }) => lines.of(space.shardOf(storableKey(key)))))
    const unknown = [...concerned].filter(({ hasTime }) => !hasTime)
    const ask = () => unknown.map(line => line.submit(operation, [], [], 0, 0, signal))
    try {
      await Promise.all(connection.together(ask))
    } catch (error) {
      recovery.failed(error, unfenced(items).map(deletion), order)
      throw error
    }
  }

  /** `undefined` for a value that is refused, which the caller counts. */
  #prepare(item: StoreItem<V>): PreparedValue | undefined {
    try {
      return this.#base.values.prepare(item)
    } catch (error) {
      if (error instanceof InvalidOptionError) throw error
      return undefined
    }
  }

  /** @param order of the call, from {@link Recovery.begin} */
  async #write(
    operation: string,
    item: StoreItem<V>,
    value: PreparedValue,
    order: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { space, connection, lines, recovery, counters } = this.#base
    const { key, fence } = item
    const { stored, body, ttl, retention } = value
    const shard = space.shardOf(stored)
    const name = shard.values + space.label(stored)
    const mark = fence && markIn(fence, shard.index)
    if (fence !== undefined && (mark === undefined || mark.incarnation === 0)) return this.#refuse()
    const ground = mark === undefined ? '' : ` ${mark.epoch} ${mark.incarnation}`
    const bytes = name.length + body.length
    const timeout = connection.timeoutFor(bytes)
    const line = lines.of(shard)
    let end = connection.clock.now() + timeout
    let result: unknown
    if (fence === undefined) recovery.enter(key)
    try {
      for (let attempt = 1; ; ) {
        // By when it must have arrived, by the server's clock, so that one that was given up does not land later.
        const deadline = Math.floor((line.serverTime() + end - connection.clock.now()) * 1_000)
        const how = `${ttl} ${retention} ${deadline}${ground}`
        const args = space.hashed ? ['s', stored, body, how] : ['s', body, how]
        const answer = await line.submit(operation, [name], args, 1, bytes, signal)
        result = answer.reply[answer.from]
        if (result !== TOO_LATE) break
        // The server's clock has been set: now it is known.
        if (connection.clock.now() < end) continue
        if (attempt++ === ATTEMPTS) throw new RedisTimeoutError(operation, timeout)
        end = connection.clock.now() + timeout
      }
      if (Buffer.isBuffer(result)) throw refusal(operation, result)
    } catch (error) {
      // A write that was not confirmed may have been made or not, so that what is there is not known.
      if (fence === undefined) {
        recovery.failed(error, [deletion(item)], order, isUnderWay(error) ? end : undefined)
      }
      throw error
    } finally {
      if (fence === undefined) recovery.leave(key)
    }
    if (result === FOREIGN) counters.foreign++
    if (result !== 1) return this.#refuse()
    if (fence === undefined) recovery.succeeded('delete', 'key', key, order)
    counters.writes++
    return true
  }

  #refuse(): false {
    this.#base.counters.refused++
    return false
  }
}

function unfenced<V>(items: readonly StoreItem<V>[]): StoreItem<V>[] {
  return items.filter(({ fence }) => fence === undefined)
}

/** Whether what failed may still arrive: it was sent, and the connection broke before the reply. */
function isUnderWay(error: unknown): boolean {
  return error instanceof RedisUnavailableError && error.reason === 'connection'
}

function deletion({ key }: { readonly key: string }): Invalidation {
  return { verb: 'delete', target: 'key', name: key }
}

/** An error of Redis that the script returned for one operation of several. */
function refusal(operation: string, message: Buffer): RedisUnavailableError {
  const cause = new Error(message.toString())
  cause.name = 'ReplyError'
  return new RedisUnavailableError(operation, 'reply', { cause })
}
