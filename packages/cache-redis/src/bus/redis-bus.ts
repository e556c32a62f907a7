import { randomUUID } from 'node:crypto'
import type { Clock, Timer } from '@millrace/cache-core'
import { BusListeners, StoreClosedError } from '@millrace/cache-core/store'
import type { BusListener, Invalidation, InvalidationBus } from '@millrace/cache-core/tiered'
import {
  checkInteger,
  checkList,
  checkOptions,
  checkPositive,
  counters,
  describeStats,
  gauges,
  type StatsKinds,
} from '@millrace/kit'
import {
  CONNECTION_OPTIONS,
  CONNECTION_STATS_KINDS,
  Connection,
  type ConnectionOptions,
  type ConnectionStats,
} from '../connection/connection.ts'
import type { ConnectionTarget, TargetedNames } from '../connection/target.ts'
import { RedisUnavailableError } from '../errors.ts'
import { markOf, type ShardMark } from '../protocol/answer.ts'
import { checkPrefix, DEFAULT_PREFIX, KeySpace } from '../protocol/key-space.ts'
import { Publisher } from '../protocol/publisher.ts'
import { ScriptLines } from '../protocol/script-line.ts'
import { Recovery } from '../recovery/recovery.ts'
import { type BusMessage, decodeMessage } from './bus-message.ts'
import { CarriedStores } from './carried-stores.ts'
import { EpochTrail } from './epoch-trail.ts'
import { missedSince } from './missed-invalidations.ts'
import { Subscription } from './subscription.ts'

/** Options of a {@link RedisBus}, besides where Redis is. */
export interface RedisBusSettings extends ConnectionOptions {
  /** That of the store whose invalidations it carries, a string without braces. Default: `millrace:cache` */
  readonly prefix?: string | undefined
  /**
   * ms between two comparisons of what arrived with what was sent, > 0: how long a loss without a word goes unnoticed is twice that,
   * and how long first tiers serve what they hold while there is no connection is once that. Default: 5,000
   */
  readonly heartbeat?: number | undefined
  /** Unsent invalidations remembered by name, a positive integer; more become one that deletes everything. Default: 10,000 */
  readonly maxRecovery?: number | undefined
}

/** Options of a {@link RedisBus}. */
export type RedisBusOptions = RedisBusSettings & ConnectionTarget

/** Counters of a {@link RedisBus}. */
export interface RedisBusStats extends ConnectionStats {
  /** Messages handed to Redis by the bus itself, not by the scripts of its store. */
  readonly sent: number
  /** Messages of others that arrived. */
  readonly received: number
  /** Times listeners were told that messages may be lost. */
  readonly gaps: number
  /** Messages that were none of ours, or of an unknown format. */
  readonly undecodable: number
  /** Invalidations that wait for Redis to come back. */
  readonly recovering: number
  /** 1 while messages arrive, else 0. */
  readonly subscribed: number
}

/** Names of all options. */
export const BUS_OPTIONS: TargetedNames<RedisBusSettings> = {
  ...CONNECTION_OPTIONS,
  prefix: true,
  heartbeat: true,
  maxRecovery: true,
}

/**
 * An `InvalidationBus` over Redis pub/sub. The scripts of `RedisStore` publish what they invalidate, so that no process can die between
 * the one and the other. Each message says which epoch it follows, and a heartbeat compares epochs: whatever pub/sub loses, a listener
 * learns of, and a connection that broke while nothing happened costs nothing.
 */
export class RedisBus implements InvalidationBus {
  readonly #connection: Connection
  readonly #channels: readonly string[]
  readonly #lines: ScriptLines
  readonly #publisher: Publisher
  readonly #subscription: Subscription
  readonly #recovery: Recovery
  readonly #clock: Clock
  readonly #heartbeat: number
  /** Signs what the bus itself publishes. */
  readonly #id: string = randomUUID()
  readonly #stores: CarriedStores
  readonly #listeners = new BusListeners()
  /** What arrived so far, by shard. */
  readonly #trails: readonly EpochTrail[]
  readonly #up = Promise.withResolvers<void>()
  #subscribed = false
  /** Whether the server has not answered the last ping yet over the connection that messages come by. */
  #silent = false
  #timer: Timer | undefined
  #closed = false
  #counts = { sent: 0, received: 0, gaps: 0, undecodable: 0 }

  /** @throws {InvalidOptionError} */
  constructor(options: RedisBusOptions) {
    checkOptions<object>('', options, BUS_OPTIONS)
    const { prefix = DEFAULT_PREFIX, heartbeat = 5_000, maxRecovery = 10_000 } = options
    checkPrefix(prefix)
    this.#heartbeat = checkPositive('heartbeat', heartbeat)
    checkInteger('maxRecovery', maxRecovery, 1)
    this.#connection = new Connection(options, options)
    const { client, clock } = this.#connection
    this.#clock = clock
    const space = new KeySpace(prefix, client)
    this.#channels = space.shards.map(shard => space.channel(shard))
    this.#stores = new CarriedStores(this, this.#channels)
    this.#trails = space.shards.map(() => new EpochTrail())
    this.#lines = new ScriptLines(this.#connection, space.shards, { sender: this.#id, layout: 0 })
    this.#publisher = new Publisher(this.#lines)
    this.#recovery = new Recovery(maxRecovery, client, clock, {
      repeat: each => this.#send([each]),
      laneOf: () => 0,
    })
    // Callers of `ready` are told of a rejection.
    this.#up.promise.catch(() => undefined)
    this.#subscription = new Subscription(client, this.#channels, {
      onUp: () => void this.#onUp(),
      onDown: () => this.#onDown(),
      onRefused: cause =>
        this.#up.reject(new RedisUnavailableError('subscribe', 'reply', { cause })),
      onMessage: (channel, text) => this.#receive(channel, text),
    })
    this.#scheduleHeartbeat()
  }

  /**
   * Resolves when messages arrive for the first time. A cache need not wait for it: it is told of a gap then.
   *
   * @throws {RedisUnavailableError} if Redis refuses the credentials or the channels
   * @throws {StoreClosedError} after `close`, and if it comes first
   */
  async ready(): Promise<void> {
    if (this.#closed) throw new StoreClosedError()
    await this.#up.promise
  }

  /**
   * Whether the store's scripts publish on this bus what they invalidate, so that no process has to. A listener that is the only one of
   * the bus, over a store that no other bus carries, is not told of the store's messages from then on: it caused them.
   */
  carries(store: unknown): boolean {
    return this.#stores.add(store)
  }

  /**
   * Rejects if Redis did not confirm the message; it is then kept and sent again when Redis is back, so nothing is left to do
   * but to know that others may serve old values until then.
   */
  async publish(invalidations: readonly Invalidation[]): Promise<void> {
    if (checkList('invalidations', invalidations).length === 0) return
    // It repeats them on what it holds, too.
    const { latest } = this.#stores
    if (latest !== undefined) return latest.publish(invalidations)
    try {
      await this.#send(invalidations)
    } catch (error) {
      this.#recovery.failed(error, invalidations)
      throw error
    }
  }

  subscribe(listener: BusListener): () => void {
    const leave = this.#listeners.add(listener)
    return () => {
      leave()
      if (this.#listeners.size === 0) this.#stores.clear()
    }
  }

  stats(): RedisBusStats {
    return {
      ...this.#counts,
      recovering: this.#recovery.queue.size,
      subscribed: this.#subscribed ? 1 : 0,
      ...this.#connection.stats(),
    }
  }

  /** Ends the subscription; closes the connection if the bus made it. What could not be sent is lost. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.#up.reject(new StoreClosedError())
    this.#listeners.clear()
    this.#stores.clear()
    this.#recovery.close()
    this.#lines.close()
    this.#subscription.close()
    await this.#connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #send(invalidations: readonly Invalidation[]): Promise<void> {
    await this.#publisher.publish(invalidations)
    this.#counts.sent++
  }

  #receive(channel: string, text: string): void {
    const shard = this.#channels.indexOf(channel)
    const trail = this.#trails[shard]
    const message = decodeMessage(text)
    if (trail === undefined || message === undefined) {
      this.#counts.undecodable++
      this.#gap()
      return
    }
    this.#lines.all[shard]!.learn(message)
    this.#stores.learn(shard, message)
    const since = trail.mark
    if (!trail.follow(message)) void this.#catchUp(shard, since)
    if (!this.#isEcho(message.sender)) this.#deliver(message)
  }

  /** Whether the only listener here is the one that caused a message. */
  #isEcho(sender: string): boolean {
    return this.#listeners.size === 1 && (sender === this.#id || this.#stores.isAlone(sender))
  }

  #deliver({ invalidations }: Pick<BusMessage, 'invalidations'>): void {
    if (invalidations.length === 0) return
    this.#counts.received++
    this.#listeners.onInvalidations(invalidations)
  }

  /** Delivers what a shard has told since a mark, this process' own included; a gap if it does not know it any more. */
  async #catchUp(shard: number, since: ShardMark): Promise<void> {
    try {
      const { invalidations } = await missedSince(this.#lines.all[shard]!, since)
      if (invalidations === undefined) this.#gap()
      else this.#deliver({ invalidations })
    } catch {
      // Counted by the connection. What is not known may have been lost.
      this.#gap()
    }
  }

  async #onUp(): Promise<void> {
    this.#subscribed = true
    this.#silent = false
    await this.#compare()
    this.#up.resolve()
  }

  /** What is missed from now on is asked for once there is a connection again, or at the next beat, whichever comes first. */
  #onDown(): void {
    this.#subscribed = false
  }

  /** Listeners may have missed something. */
  #gap(): void {
    if (this.#closed) return
    this.#counts.gaps++
    this.#listeners.onGap()
  }

  #scheduleHeartbeat(): void {
    this.#timer = this.#clock.setTimer(() => {
      void this.#beat()
      this.#scheduleHeartbeat()
    }, this.#heartbeat)
  }

  async #beat(): Promise<void> {
    if (this.#subscribed && this.#silent) {
      this.#subscribed = false
      this.#silent = false
      this.#subscription.restart()
      this.#gap()
      return
    }
    if (!this.#subscribed) {
      // Without messages, what others changed meanwhile must not be served for longer than a beat.
      await this.#compare()
      return
    }
    this.#silent = true
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#subscription.ping().then(() => {
      this.#silent = false
      resolve()
    }, resolve)
    await this.#expect()
    await promise
  }

  /** Delivers what was told until now and has not arrived, or tells of a gap where that is not known. */
  async #compare(): Promise<void> {
    try {
      const all = await Promise.all(
        this.#lines.all.map((line, index) => missedSince(line, this.#trails[index]!.mark)),
      )
      let known = true
      for (const [index, { mark, invalidations }] of all.entries()) {
        if (this.#trails[index]!.jump(mark)) continue
        if (invalidations === undefined) known = false
        else this.#deliver({ invalidations })
      }
      if (!known) this.#gap()
    } catch {
      // Counted by the connection. What is not known may have been lost.
      this.#gap()
    }
  }

  /** What had been sent at the last beat must have arrived by now. */
  async #expect(): Promise<void> {
    try {
      const answers = await Promise.all(
        this.#lines.all.map(line => line.submit('heartbeat', [], [], 0, 0)),
      )
      const kept = this.#trails.map((trail, index) => trail.expect(markOf(answers[index]!)))
      if (!kept.includes(false)) return
    } catch {
      // Counted by the connection; the ping tells whether messages still arrive.
      return
    }
    this.#subscription.restart()
    await this.#compare()
  }
}

/** What the numbers of {@link RedisBusStats} are. */
export const BUS_STATS_KINDS: StatsKinds<RedisBusStats> = {
  ...CONNECTION_STATS_KINDS,
  ...gauges('recovering', 'subscribed'),
  ...counters('sent', 'received', 'gaps', 'undecodable'),
}

describeStats<RedisBusStats>(RedisBus.prototype, BUS_STATS_KINDS)
