import { BusListeners, StoreClosedError } from '@millrace/cache-core/store'
import type { BusListener, Invalidation, InvalidationBus } from '@millrace/cache-core/tiered'
import {
  checkOneOf,
  checkOptions,
  counters,
  describeStats,
  InvalidOptionError,
} from '@millrace/kit'
import type { Redis } from 'ioredis'
import {
  BUS_OPTIONS,
  BUS_STATS_KINDS,
  RedisBus,
  type RedisBusOptions,
  type RedisBusSettings,
  type RedisBusStats,
} from '../bus/redis-bus.ts'
import { type Client, isCluster } from '../connection/client.ts'
import { Connection } from '../connection/connection.ts'
import type { TargetedNames } from '../connection/target.ts'
import { RedisUnavailableError } from '../errors.ts'
import { DEFAULT_PREFIX, KeySpace } from '../protocol/key-space.ts'
import { type ScriptLine, ScriptLines } from '../protocol/script-line.ts'
import { linesOf } from '../protocol/store-lines.ts'
import { KeyWatch, type Watched, watchConnection } from './key-watch.ts'

/**
 * Which changes Redis tells of:
 * - `broadcast`: those of all values of the prefix, at no cost of reads and of no memory in Redis
 * - `optin`: those of values that this process has read or written, which Redis remembers (`tracking-table-max-keys`); every call of the
 *   store then has one more short command in the same write. The store must be given to the cache together with this bus
 */
export type TrackingMode = 'broadcast' | 'optin'

/** Options of a {@link RedisTracking}. */
export type RedisTrackingOptions = RedisBusOptions & {
  /** Which changes Redis tells of. Default: `broadcast` */
  readonly mode?: TrackingMode | undefined
}

const TRACKING_OPTIONS: TargetedNames<RedisBusSettings & { mode: unknown }> = {
  ...BUS_OPTIONS,
  mode: true,
}

/** Counters of a {@link RedisTracking}. */
export interface RedisTrackingStats extends RedisBusStats {
  /** Values of which Redis said that they had changed. */
  readonly changed: number
  /** Those of them that others than the scripts of a store had changed or removed, and that were dropped from first tiers. */
  readonly dropped: number
}

/**
 * A {@link RedisBus} that also hears of what others do to the values in Redis, in whatever language: a bare `DEL` or `SET`, an expiry, an
 * eviction. It uses Redis' client-side caching (`CLIENT TRACKING`, redirected to a connection of its own), and asks in one script call per
 * turn which of the changed values are still ours.
 *
 * One server or Sentinel; keys must not be hashed.
 */
export class RedisTracking implements InvalidationBus {
  readonly #bus: RedisBus
  readonly #connection: Connection
  readonly #space: KeySpace
  readonly #lines: ScriptLines
  readonly #mode: TrackingMode
  readonly #watches = new Map<ScriptLine, KeyWatch>()
  readonly #listeners = new BusListeners()
  readonly #up = Promise.withResolvers<void>()
  #changed = 0
  #dropped = 0
  #gaps = 0

  /** @throws {InvalidOptionError} also for a Cluster */
  constructor(options: RedisTrackingOptions) {
    checkOptions<object>('', options, TRACKING_OPTIONS)
    const { mode = 'broadcast', ...where } = options
    this.#mode = checkOneOf('mode', mode, ['broadcast', 'optin'])
    if (where.client !== undefined) checkSingle(where.client)
    this.#bus = new RedisBus(where)
    this.#connection = new Connection(where, where)
    const client = this.#connection.client as Redis
    // Callers of `ready` are told of a rejection.
    this.#up.promise.catch(() => undefined)
    this.#space = new KeySpace(where.prefix ?? DEFAULT_PREFIX, client)
    const signature = { sender: '', layout: 1 } as const
    this.#lines = new ScriptLines(this.#connection, this.#space.shards, signature)
    if (mode === 'optin') return
    const line = this.#lines.all[0]!
    const how = ['BCAST', 'PREFIX', this.#space.keyPrefix + line.shard.values]
    this.#begin(line, { connection: watchConnection(client), owned: true, how })
  }

  /**
   * Resolves when messages arrive for the first time; with `optin` not before a cache has this bus and its store.
   *
   * @throws {RedisUnavailableError} if Redis refuses the credentials, the channels or `CLIENT TRACKING`
   * @throws {StoreClosedError} after `close`, and if it comes first
   */
  async ready(): Promise<void> {
    await this.#bus.ready()
    await this.#up.promise
  }

  /**
   * As {@link RedisBus.carries}; with `optin` the store's reads are tracked from then on.
   *
   * @throws {InvalidOptionError} if another bus tracks the store's reads, as Redis tells one of what a connection has read
   */
  carries(store: unknown): boolean {
    if (!this.#bus.carries(store)) return false
    const lines = linesOf(store as object)
    if (this.#mode !== 'optin' || lines === undefined) return true
    const line = lines.all[0]!
    if (this.#watches.has(line)) return true
    if (line.tracked) {
      throw new InvalidOptionError('bus', "the only one of its store with `mode: 'optin'`", this)
    }
    line.tracked = true
    this.#begin(line, { connection: lines.client as Redis, owned: false, how: ['OPTIN'] })
    return true
  }

  /** As {@link RedisBus.publish}. */
  publish(invalidations: readonly Invalidation[]): Promise<void> {
    return this.#bus.publish(invalidations)
  }

  subscribe(listener: BusListener): () => void {
    const leaves = [this.#listeners.add(listener), this.#bus.subscribe(listener)]
    return () => {
      for (const leave of leaves) leave()
    }
  }

  stats(): RedisTrackingStats {
    const stats = this.#bus.stats()
    const gaps = stats.gaps + this.#gaps
    return { ...stats, gaps, changed: this.#changed, dropped: this.#dropped }
  }

  /** Ends the subscriptions; closes the connections that it made. */
  async close(): Promise<void> {
    this.#listeners.clear()
    this.#up.reject(new StoreClosedError())
    for (const [line, watch] of this.#watches) {
      line.tracked = false
      watch.close()
    }
    this.#lines.close()
    await this.#bus.close()
    await this.#connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @param line asks for what has changed: where that is tracked, so that it is tracked again */
  #begin(line: ScriptLine, watched: Watched): void {
    const watch = new KeyWatch(watchConnection(watched.connection), watched, {
      onKeys: names => void this.#judge(line, names),
      onGap: () => this.#gap(),
      onUp: () => this.#up.resolve(),
      onRefused: cause => this.#up.reject(new RedisUnavailableError('track', 'reply', { cause })),
    })
    this.#watches.set(line, watch)
  }

  #gap(): void {
    this.#gaps++
    this.#listeners.onGap()
  }

  /** Drops what is not ours any more. What stores wrote is, and they have said what it replaces. */
  async #judge(line: ScriptLine, names: readonly string[]): Promise<void> {
    // The script reads its journal, too.
    const labels = names.flatMap(name => this.#space.locate(name)?.label ?? [])
    if (labels.length === 0) return
    this.#changed += labels.length
    const { values } = line.shard
    let gone: string[]
    try {
      const own = labels.map(label => values + label)
      const args = Array(own.length).fill('a')
      const { reply, from } = await line.submit('track', own, args, own.length, 0)
      gone = labels.filter((_, index) => reply[from + index] !== 1)
    } catch {
      // Counted by the connection. What is not known is not trusted.
      gone = labels
    }
    if (gone.length === 0) return
    this.#dropped += gone.length
    const invalidations = gone.map(
      (label): Invalidation => ({ verb: 'delete', target: 'key', name: this.#space.keyOf(label) }),
    )
    this.#listeners.onInvalidations(invalidations)
  }
}

describeStats<RedisTrackingStats>(RedisTracking.prototype, {
  ...BUS_STATS_KINDS,
  ...counters('changed', 'dropped'),
})

function checkSingle(client: Client): void {
  if (!isCluster(client)) return
  throw new InvalidOptionError('client', 'a Redis, as a Cluster tracks keys by node', client)
}
