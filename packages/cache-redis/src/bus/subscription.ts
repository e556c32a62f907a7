import type { Redis, RedisOptions } from 'ioredis'
import { type Client, isCluster } from '../connection/client.ts'
import { isRefusal } from '../connection/refusal.ts'

/** What a {@link Subscription} reports. */
export interface SubscriptionEvents {
  /** Messages arrive from now on; what was sent before may be lost. */
  onUp(): void
  /** Messages may be lost from now on. */
  onDown(): void
  /** The server refuses the credentials or the channels. */
  onRefused(error: Error): void
  onMessage(channel: string, text: string): void
}

/** How long until the n-th attempt to reconnect, in ms. */
const retryDelay = (attempt: number) => Math.min(25 * 2 ** Math.min(attempt, 10), 2_000)

/**
 * A connection of its own that subscribes to channels, again after every loss. In a Cluster it is one to any node, as messages reach
 * all of them, and after a loss to another one.
 */
export class Subscription {
  readonly #client: Client
  readonly #channels: readonly string[]
  readonly #events: SubscriptionEvents
  #subscriber: Redis | undefined
  #attempt = 0
  #retry: NodeJS.Timeout | undefined
  #closed = false

  /** @param client whose connection options are used; it is not used itself */
  constructor(client: Client, channels: readonly string[], events: SubscriptionEvents) {
    this.#client = client
    this.#channels = channels
    this.#events = events
    this.#start()
  }

  /** Gives up the present connection, which does not seem to work, for a new one. */
  restart(): void {
    if (this.#closed) return
    this.#drop()
    this.#start()
  }

  /** Resolves when the server has answered over the connection that messages come by. */
  async ping(): Promise<void> {
    if (this.#subscriber?.status === 'ready') await this.#subscriber.ping()
  }

  close(): void {
    this.#closed = true
    this.#drop()
  }

  #drop(): void {
    clearTimeout(this.#retry)
    this.#subscriber?.removeAllListeners()
    // What it still reports on its way out is of no interest.
    this.#subscriber?.on('error', () => undefined)
    this.#subscriber?.disconnect()
    this.#subscriber = undefined
  }

  #start(): void {
    const node = this.#node()
    if (node === undefined) {
      // A Cluster that does not know its nodes yet.
      this.#later()
      return
    }
    const subscriber = node.duplicate(this.#options())
    this.#subscriber = subscriber
    let up = false
    subscriber.on('error', error => {
      if (isRefusal(error)) this.#events.onRefused(error)
    })
    subscriber.on('close', () => {
      if (up) this.#events.onDown()
      up = false
      if (isCluster(this.#client) && subscriber === this.#subscriber) {
        this.#drop()
        this.#later()
      }
    })
    subscriber.on('message', (channel: string, text: string) =>
      this.#events.onMessage(channel, text),
    )
    subscriber.on('ready', async () => {
      try {
        await subscriber.subscribe(...this.#channels)
      } catch (error) {
        if (isRefusal(error)) this.#events.onRefused(error)
        // Otherwise the connection broke meanwhile, which `close` reports; the next `ready` tries again.
        return
      }
      if (subscriber !== this.#subscriber || this.#closed) return
      up = true
      this.#attempt = 0
      this.#events.onUp()
    })
  }

  #later(): void {
    if (this.#closed) return
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#start(), retryDelay(this.#attempt++))
    this.#retry.unref()
  }

  #node(): Redis | undefined {
    if (!isCluster(this.#client)) return this.#client
    const nodes = this.#client.nodes('all')
    return nodes[Math.floor(Math.random() * nodes.length)]
  }

  #options(): Partial<RedisOptions> {
    return {
      // The handler of `ready` subscribes, so that it knows when that is done.
      autoResubscribe: false,
      enableOfflineQueue: true,
      keyPrefix: '',
      lazyConnect: false,
      maxRetriesPerRequest: null,
      readOnly: false,
      retryStrategy: isCluster(this.#client) ? () => null : retryDelay,
    }
  }
}
