import type { Redis } from 'ioredis'

/** What a {@link KeyWatch} reports. */
export interface KeyWatchEvents {
  /** Keys were changed, expired or evicted, by whomever. */
  onKeys(names: readonly string[]): void
  /** Changes may have been missed, or everything was flushed. */
  onGap(): void
  onUp(): void
}

/** The channel on which Redis says which keys have changed. */
const CHANNEL = '__redis__:invalidate'

const retryDelay = (attempt: number) => Math.min(25 * 2 ** Math.min(attempt, 10), 2_000)

/**
 * Redis' client-side caching in broadcast mode: every change of a key that begins with a prefix, told by RESP2's redirection to a
 * subscriber, as ioredis drops the push messages of RESP3.
 */
export class KeyWatch {
  readonly #prefix: string
  readonly #events: KeyWatchEvents
  readonly #subscriber: Redis
  readonly #tracker: Redis
  #up = false

  /** @param client whose connection options are used; it is not used itself */
  constructor(client: Redis, prefix: string, events: KeyWatchEvents) {
    this.#prefix = prefix
    this.#events = events
    this.#subscriber = this.#connect(client)
    this.#tracker = this.#connect(client)
    this.#subscriber.on('messageBuffer', (_channel: Buffer, names: unknown) => {
      if (Array.isArray(names)) events.onKeys(names.map(name => String(name)))
      else events.onGap()
    })
  }

  close(): void {
    for (const client of [this.#subscriber, this.#tracker]) {
      client.removeAllListeners()
      client.on('error', () => undefined)
      client.disconnect()
    }
  }

  #connect(client: Redis): Redis {
    const connection = client.duplicate({
      protocol: 2,
      keyPrefix: '',
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      lazyConnect: false,
      retryStrategy: retryDelay,
    })
    // What it says is said by `close`, too.
    connection.on('error', () => undefined)
    connection.on('ready', () => void this.#arm())
    connection.on('close', () => {
      this.#up = false
      this.#events.onGap()
    })
    return connection
  }

  /** Begins when both connections are there. */
  async #arm(): Promise<void> {
    const [subscriber, tracker] = [this.#subscriber, this.#tracker]
    if (subscriber.status !== 'ready' || tracker.status !== 'ready' || this.#up) return
    try {
      await subscriber.unsubscribe()
      const id = await subscriber.client('ID')
      await subscriber.subscribe(CHANNEL)
      await tracker.call('CLIENT', 'TRACKING', 'OFF')
      await tracker.call(
        'CLIENT',
        ...['TRACKING', 'ON', 'REDIRECT', String(id), 'BCAST', 'PREFIX', this.#prefix],
      )
    } catch {
      // A connection broke meanwhile, which `close` reports; the next `ready` tries again.
      return
    }
    this.#up = true
    this.#events.onGap()
    this.#events.onUp()
  }
}
