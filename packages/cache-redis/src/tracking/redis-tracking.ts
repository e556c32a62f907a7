import type { BusListener, Invalidation, InvalidationBus } from '@millrace/cache-core/tiered'
import { describeStats, InvalidOptionError } from '@millrace/kit'
import type { Redis } from 'ioredis'
import {
  BUS_STATS_KINDS,
  RedisBus,
  type RedisBusOptions,
  type RedisBusStats,
} from '../bus/redis-bus.ts'
import { type Client, isCluster } from '../connection/client.ts'
import { Connection } from '../connection/connection.ts'
import { DEFAULT_PREFIX, KeySpace } from '../protocol/key-space.ts'
import { ScriptLines } from '../protocol/script-line.ts'
import { KeyWatch } from './key-watch.ts'

/** Counters of a {@link RedisTracking}. */
export interface RedisTrackingStats extends RedisBusStats {
  /** Values of which Redis said that they had changed. */
  readonly changed: number
  /** Those of them that others than the scripts of a store had changed or removed, and that were dropped from first tiers. */
  readonly dropped: number
}

/**
 * A {@link RedisBus} that also hears of what others do to the values in Redis, in whatever language: a bare `DEL` or `SET`, an expiry, an
 * eviction. It watches all names of the prefix by Redis' client-side caching (`CLIENT TRACKING` in broadcast mode, redirected to a
 * connection of its own), and asks in one script call per turn which of the changed values are still ours.
 *
 * One server or Sentinel; keys must not be hashed.
 */
export class RedisTracking implements InvalidationBus {
  readonly #bus: RedisBus
  readonly #connection: Connection
  readonly #space: KeySpace
  readonly #lines: ScriptLines
  readonly #watch: KeyWatch
  readonly #listeners = new Set<BusListener>()
  readonly #up = Promise.withResolvers<void>()
  #changed = 0
  #dropped = 0
  #gaps = 0

  /** @throws {InvalidOptionError} also for a Cluster */
  constructor(options: RedisBusOptions) {
    if (options.client !== undefined) checkSingle(options.client)
    this.#bus = new RedisBus(options)
    this.#connection = new Connection(options, options)
    const client = this.#connection.client as Redis
    this.#space = new KeySpace(options.prefix ?? DEFAULT_PREFIX, client)
    this.#lines = new ScriptLines(this.#connection, this.#space.shards, '')
    const { values } = this.#space.shards[0]!
    this.#watch = new KeyWatch(client, this.#space.keyPrefix + values, {
      onKeys: names => void this.#judge(names),
      onGap: () => this.#gap(),
      onUp: () => this.#up.resolve(),
    })
  }

  /**
   * Resolves when messages arrive for the first time.
   *
   * @throws {RedisUnavailableError} if Redis refuses the credentials or the channels
   */
  async ready(): Promise<void> {
    await this.#bus.ready()
    await this.#up.promise
  }

  /** As {@link RedisBus.carries}. */
  carries(store: unknown): boolean {
    return this.#bus.carries(store)
  }

  /** As {@link RedisBus.publish}. */
  publish(invalidations: readonly Invalidation[]): Promise<void> {
    return this.#bus.publish(invalidations)
  }

  subscribe(listener: BusListener): () => void {
    this.#listeners.add(listener)
    const leave = this.#bus.subscribe(listener)
    return () => {
      this.#listeners.delete(listener)
      leave()
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
    this.#watch.close()
    this.#lines.close()
    await this.#bus.close()
    await this.#connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #gap(): void {
    this.#gaps++
    for (const listener of this.#listeners) listener.onGap()
  }

  /** Drops what is not ours any more. What stores wrote is, and they have said what it replaces. */
  async #judge(names: readonly string[]): Promise<void> {
    this.#changed += names.length
    const labels = names.flatMap(name => this.#space.locate(name)?.label ?? [])
    const line = this.#lines.all[0]!
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
    for (const listener of this.#listeners) listener.onInvalidations(invalidations)
  }
}

describeStats<RedisTrackingStats>(RedisTracking.prototype, {
  ...BUS_STATS_KINDS,
  changed: 'counter',
  dropped: 'counter',
})

function checkSingle(client: Client): void {
  if (!isCluster(client)) return
  throw new InvalidOptionError('client', 'a Redis, as a Cluster tracks keys by node', client)
}
