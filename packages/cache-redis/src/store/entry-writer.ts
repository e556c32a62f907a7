import type { StoreItem } from '@millrace/cache-core/store'
import { checkList, InvalidOptionError } from '@millrace/kit'
import { RedisTimeoutError, RedisUnavailableError } from '../errors.ts'
import type { Shard } from '../protocol/key-space.ts'
import type { ScriptArgument } from '../protocol/script.ts'
import { checkItem } from './call-options.ts'
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
  async one(item: StoreItem<V>, signal: AbortSignal | undefined): Promise<boolean> {
    return this.#write('set', item, this.#base.values.prepare(item), signal)
  }

  /** A value that cannot be encoded, or is too large, is refused alone. */
  async many(items: readonly StoreItem<V>[], signal: AbortSignal | undefined): Promise<boolean[]> {
    checkList('items', items, 'an array of items')
    if (items.length === 1) return [await this.#single(items[0]!, signal)]
    const last = new Map(items.map((item, index) => [checkItem(item).key, index]))
    const prepared = items.map(item => this.#prepare(item))
    return Promise.all(
      prepared.map((each, index) => {
        const item = items[index]!
        if (each === undefined) return this.#refuse()
        // Of several for the same key only the last one counts.
        if (last.get(item.key) !== index) return true
        return this.#write('setMany', item, each, signal)
      }),
    )
  }

  /** One that is refused alone, too. */
  async #single(item: StoreItem<V>, signal: AbortSignal | undefined): Promise<boolean> {
    checkItem(item)
    const prepared = this.#prepare(item)
    if (prepared === undefined) return this.#refuse()
    return this.#write('setMany', item, prepared, signal)
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

  async #write(
    operation: string,
    { key, fence }: StoreItem<V>,
    value: PreparedValue,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { space, connection, recovery, counters } = this.#base
    const { stored, body, ttl, retention } = value
    const shard = space.shardOf(stored)
    const name = shard.values + space.label(stored)
    const mark = fence && markIn(fence, shard.index)
    if (fence !== undefined && (mark === undefined || mark.incarnation === 0)) return this.#refuse()
    const bytes = name.length + body.length
    const timeout = connection.timeoutFor(bytes)
    const head: ScriptArgument[] = space.hashed ? ['s', stored, body] : ['s', body]
    const life = `${ttl} ${retention}`
    const ground = mark === undefined ? '' : ` ${mark.epoch} ${mark.incarnation}`
    const write = { operation, shard, name, head, life, ground, bytes, timeout, signal }
    let result: unknown
    try {
      result = await this.#submit(write)
      if (Buffer.isBuffer(result)) throw refusal(operation, result)
    } catch (error) {
      // A write that was not confirmed may have been made or not, so that what is there is not known.
      if (fence === undefined)
        recovery.failed(error, [{ verb: 'delete', target: 'key', name: key }])
      throw error
    }
    if (result === FOREIGN) counters.foreign++
    if (result !== 1) return this.#refuse()
    if (fence === undefined) recovery.queue.forget('key', key)
    counters.writes++
    return true
  }

  /** Says by when the write must have arrived, by the server's clock, so that one that was given up does not land later. */
  async #submit(write: Write): Promise<unknown> {
    const { operation, name, head, life, ground, bytes, timeout, signal } = write
    const { clock } = this.#base.connection
    const line = this.#base.lines.of(write.shard)
    let end = clock.now() + timeout
    for (let attempt = 1; ; ) {
      const deadline = Math.floor((line.serverTime() + end - clock.now()) * 1_000)
      const args = [...head, `${life} ${deadline}${ground}`]
      const answer = await line.submit(operation, [name], args, 1, bytes, signal)
      const result = answer.reply[answer.from]
      if (result !== TOO_LATE) return result
      // The server's clock was not known, or has been set: now it is known.
      if (clock.now() < end) continue
      if (attempt++ === ATTEMPTS) throw new RedisTimeoutError(operation, timeout)
      end = clock.now() + timeout
    }
  }

  #refuse(): false {
    this.#base.counters.refused++
    return false
  }
}

/** A write on its way to the script. */
interface Write {
  readonly operation: string
  readonly shard: Shard
  readonly name: string
  /** The operation, and what comes before its last argument. */
  readonly head: readonly ScriptArgument[]
  /** Time to live and retention. */
  readonly life: string
  /** The fence. */
  readonly ground: string
  readonly bytes: number
  /** In ms. */
  readonly timeout: number
  readonly signal: AbortSignal | undefined
}

/** An error of Redis that the script returned for one operation of several. */
function refusal(operation: string, message: Buffer): RedisUnavailableError {
  const cause = new Error(message.toString())
  cause.name = 'ReplyError'
  return new RedisUnavailableError(operation, 'reply', { cause })
}
