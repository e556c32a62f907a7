import { randomUUID } from 'node:crypto'
import type { BusListener, Invalidation, InvalidationBus } from '@millrace/cache-core/tiered'
import { isCluster } from '../client.ts'
import { type Clock, systemClock, type Timer } from '../clock.ts'
import {
  Connection,
  type ConnectionOptions,
  type ConnectionStats,
  type ConnectionTarget,
} from '../connection.ts'
import { InvalidOptionError } from '../errors.ts'
import { decodeMessage, encodeMessage } from './bus-message.ts'
import { Outbox } from './outbox.ts'
import { Subscription } from './subscription.ts'

/** Options of a {@link RedisBus}, besides where Redis is. */
export interface RedisBusSettings extends ConnectionOptions {
  /** Name of the channel, without braces. Buses with the same one hear each other. Default `millrace`. */
  readonly channel?: string
  /**
   * ms between proofs that messages still arrive, > 0: how long a connection that broke without a word goes unnoticed, and
   * how long first tiers serve what they hold while there is none. Default 5,000.
   */
  readonly heartbeat?: number
  /** Unsent invalidations remembered by name, a positive integer; more become one that deletes everything. Default 10,000. */
  readonly maxOutbox?: number
}

/** Options of a {@link RedisBus}. */
export type RedisBusOptions = RedisBusSettings & ConnectionTarget

/** Counters of a {@link RedisBus}. */
export interface RedisBusStats extends ConnectionStats {
  /** Messages handed to Redis. */
  readonly sent: number
  /** Messages of others that arrived. */
  readonly received: number
  /** Times listeners were told that messages may be lost. */
  readonly gaps: number
  /** Messages that were none of ours, or of an unknown format. */
  readonly undecodable: number
  /** Invalidations that wait for Redis to come back. */
  readonly outbox: number
  /** 1 while messages arrive, else 0. */
  readonly subscribed: number
}

/** How many senders' sequence numbers are remembered; when there are more, listeners are told of a gap and all are forgotten. */
const SENDERS = 10_000

/**
 * An `InvalidationBus` over Redis pub/sub (sharded in a Cluster, Redis 7 or later). Pub/sub itself loses messages without a
 * word; here a listener learns of every loss: senders number their messages, a broken connection is a gap, and a heartbeat to
 * itself finds a connection that only looks alive. What could not be sent is sent when Redis is back.
 */
export class RedisBus implements InvalidationBus {
  readonly #connection: Connection
  readonly #subscription: Subscription
  readonly #clock: Clock
  readonly #heartbeat: number
  readonly #id: string = randomUUID()
  readonly #channel: string
  /** Heard by this bus alone; in the same slot, so over the same connection. */
  readonly #ownChannel: string
  readonly #listeners = new Set<BusListener>()
  readonly #outbox: Outbox
  /** Last sequence number by sender. */
  readonly #senders = new Map<string, number>()
  readonly #ready = Promise.withResolvers<void>()
  #sequence = 0
  #subscribed = false
  #echoed = false
  #timer: Timer | undefined
  #closed = false
  #counts = { sent: 0, received: 0, gaps: 0, undecodable: 0 }

  /** @throws {InvalidOptionError} */
  constructor(options: RedisBusOptions) {
    const {
      channel = 'millrace',
      heartbeat = 5_000,
      maxOutbox = 10_000,
      clock = systemClock,
    } = options
    if (typeof channel !== 'string' || channel === '' || /[{}]/.test(channel)) {
      throw new InvalidOptionError('channel', 'a string without braces, not empty', channel)
    }
    if (!(heartbeat > 0 && heartbeat < Infinity)) {
      throw new InvalidOptionError('heartbeat', 'a finite number > 0', heartbeat)
    }
    if (!(Number.isInteger(maxOutbox) && maxOutbox >= 1)) {
      throw new InvalidOptionError('maxOutbox', 'a positive integer', maxOutbox)
    }
    this.#outbox = new Outbox(maxOutbox)
    this.#clock = clock
    this.#heartbeat = heartbeat
    this.#channel = `{${channel}}:invalidations`
    this.#ownChannel = `${this.#channel}:${this.#id}`
    this.#connection = new Connection(options, options)
    this.#subscription = new Subscription(
      this.#connection.client,
      [this.#channel, this.#ownChannel],
      {
        onUp: () => this.#up(),
        onDown: () => this.#down(),
        onMessage: (from, text) => this.#receive(from, text),
      },
    )
    this.#scheduleHeartbeat()
  }

  /** Resolves when messages arrive for the first time. A cache need not wait for it: it is told of a gap then. */
  ready(): Promise<void> {
    return this.#ready.promise
  }

  /**
   * Rejects if Redis did not confirm the message; it is then kept and sent again when Redis is back, so nothing is left to do
   * but to know that others may serve old values until then.
   */
  async publish(invalidations: readonly Invalidation[]): Promise<void> {
    if (invalidations.length === 0) return
    try {
      await this.#send(invalidations)
    } catch (error) {
      this.#outbox.add(invalidations)
      throw error
    }
  }

  subscribe(listener: BusListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  stats(): RedisBusStats {
    return {
      ...this.#counts,
      outbox: this.#outbox.size,
      subscribed: this.#subscribed ? 1 : 0,
      ...this.#connection.stats(),
    }
  }

  /** Ends the subscription; closes the connection if the bus made it. What waits in the outbox is lost. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.#listeners.clear()
    this.#subscription.stop()
    await this.#connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #send(invalidations: readonly Invalidation[]): Promise<void> {
    await this.#emit(this.#channel, invalidations.length, () =>
      encodeMessage({ sender: this.#id, sequence: ++this.#sequence, invalidations }),
    )
    this.#counts.sent++
  }

  /** @param message made when it is certain that it will be sent, so that what is refused before uses no number */
  #emit(channel: string, keys: number, message: () => string): Promise<number> {
    return this.#connection.run('publish', keys, undefined, client =>
      isCluster(client)
        ? (client.spublish(channel, message()) as Promise<number>)
        : client.publish(channel, message()),
    )
  }

  #receive(from: string, text: string): void {
    if (from === this.#ownChannel) {
      this.#echoed = true
      return
    }
    const message = decodeMessage(text)
    if (message === undefined) {
      this.#counts.undecodable++
      this.#gap()
      return
    }
    const { sender, sequence, invalidations } = message
    if (sender === this.#id) return
    this.#counts.received++
    const last = this.#senders.get(sender)
    if (last !== undefined && sequence > last + 1) this.#gap()
    if (last === undefined && this.#senders.size >= SENDERS) {
      this.#senders.clear()
      this.#gap()
    }
    this.#senders.set(sender, Math.max(sequence, last ?? 0))
    for (const listener of this.#listeners) listener.onInvalidations(invalidations)
  }

  #up(): void {
    this.#subscribed = true
    this.#echoed = true
    this.#gap()
    this.#ready.resolve()
    void this.#flush()
  }

  #down(): void {
    this.#subscribed = false
    this.#gap()
  }

  /** Listeners may have missed something. */
  #gap(): void {
    this.#counts.gaps++
    for (const listener of this.#listeners) listener.onGap()
  }

  async #flush(): Promise<void> {
    const waiting = this.#outbox.take()
    if (waiting.length === 0 || this.#closed) return
    try {
      await this.publish(waiting)
    } catch {
      // They are in the outbox again, for the next beat.
    }
  }

  #scheduleHeartbeat(): void {
    this.#timer = this.#clock.setTimer(() => {
      void this.#beat()
      this.#scheduleHeartbeat()
    }, this.#heartbeat)
  }

  async #beat(): Promise<void> {
    if (this.#subscribed && !this.#echoed) {
      this.#down()
      this.#subscription.restart()
      return
    }
    // Without messages, what others changed meanwhile must not be served for longer than a beat.
    if (!this.#subscribed) this.#gap()
    this.#echoed = false
    try {
      await this.#emit(this.#ownChannel, 0, () => '')
    } catch {
      // Missing its echo, the next beat draws the conclusion.
      return
    }
    await this.#flush()
  }
}
