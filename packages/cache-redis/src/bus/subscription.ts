import type { Cluster, Redis } from 'ioredis'
import { type Client, isCluster } from '../client.ts'

/** What a {@link Subscription} reports. */
export interface SubscriptionEvents {
  /** Messages arrive from now on; what was sent before may be lost. */
  onUp(): void
  /** Messages may be lost from now on. */
  onDown(): void
  onMessage(channel: string, text: string): void
}

/**
 * A connection of its own that subscribes to channels, again after every loss. In a Cluster it uses sharded channels, whose
 * messages stay on the shard that owns their slot; all channels must then lie in one slot.
 */
export class Subscription {
  readonly #client: Client
  readonly #channels: readonly string[]
  readonly #events: SubscriptionEvents
  #subscriber: Client
  #stopped = false

  /** @param client whose connection options are used; it is not used itself */
  constructor(client: Client, channels: readonly string[], events: SubscriptionEvents) {
    this.#client = client
    this.#channels = channels
    this.#events = events
    this.#subscriber = this.#start()
  }

  /** Gives up the present connection, which does not seem to work, for a new one. */
  restart(): void {
    if (this.#stopped) return
    this.#drop()
    this.#subscriber = this.#start()
  }

  stop(): void {
    this.#stopped = true
    this.#drop()
  }

  #drop(): void {
    this.#subscriber.removeAllListeners()
    // What it still reports on its way out concerns nobody.
    this.#subscriber.on('error', () => undefined)
    this.#subscriber.disconnect()
  }

  #start(): Client {
    const subscriber = duplicate(this.#client)
    let up = false
    const down = () => {
      if (up) this.#events.onDown()
      up = false
    }
    subscriber.on('error', () => undefined)
    subscriber.on('close', down)
    subscriber.on('end', down)
    subscriber.on(isCluster(subscriber) ? 'smessage' : 'message', (channel: string, text: string) =>
      this.#events.onMessage(channel, text),
    )
    subscriber.on('ready', async () => {
      try {
        if (isCluster(subscriber)) await subscriber.ssubscribe(...this.#channels)
        else await (subscriber as Redis).subscribe(...this.#channels)
      } catch {
        // The connection broke meanwhile, which `close` reports; the next `ready` tries again.
        return
      }
      if (subscriber !== this.#subscriber || this.#stopped) return
      up = true
      this.#events.onUp()
    })
    return subscriber
  }
}

/** How long until the n-th attempt to reconnect, in ms. */
const retryStrategy = (attempt: number) => Math.min(25 * 2 ** Math.min(attempt, 10), 2_000)

function duplicate(client: Client): Client {
  if (isCluster(client)) {
    return (client as Cluster).duplicate([], {
      shardedSubscribers: true,
      lazyConnect: false,
      clusterRetryStrategy: retryStrategy,
    })
  }
  return client.duplicate({
    // The handler of `ready` subscribes, so that it knows when that is done.
    autoResubscribe: false,
    lazyConnect: false,
    maxRetriesPerRequest: null,
    retryStrategy,
  })
}
