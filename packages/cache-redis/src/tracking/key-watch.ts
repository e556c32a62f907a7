import type { Redis } from 'ioredis'
import { ClientEvents } from '../connection/client-events.ts'
import { isRefusal } from '../connection/refusal.ts'

/** What a {@link KeyWatch} reports. */
export interface KeyWatchEvents {
  /** Keys were changed, expired or evicted, by any client. */
  onKeys(names: readonly string[]): void
  /** Changes may have been missed, or everything was flushed. */
  onGap(): void
  onUp(): void
  /** Redis refuses its channel or `CLIENT TRACKING`. */
  onRefused(error: Error): void
}

/** Whose keys are watched. */
export interface Watched {
  /** The connection that switches tracking on. */
  readonly connection: Redis
  /** Whether it ends with the watch. */
  readonly owned: boolean
  /** Arguments of `CLIENT TRACKING ON`. */
  readonly how: readonly string[]
}

/** The channel on which Redis says which keys have changed. */
const CHANNEL = '__redis__:invalidate'

const retryDelay = (attempt: number) => Math.min(25 * 2 ** Math.min(attempt, 10), 2_000)

/** A connection like that of a client, for a {@link KeyWatch}. */
export function watchConnection(client: Redis): Redis {
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
  return connection
}

/**
 * Redis' client-side caching: changes of keys, told by RESP2's redirection to a subscriber, as ioredis drops the push messages of RESP3.
 */
export class KeyWatch {
  readonly #events: KeyWatchEvents
  readonly #subscriber: Redis
  readonly #watched: Watched
  readonly #arm = (): void => void this.#begin()
  readonly #lose = (): void => {
    if (this.#closed) return
    this.#up = false
    this.#events.onGap()
  }
  #up = false
  #closed = false

  /** @param subscriber of its own, made by {@link watchConnection} */
  constructor(subscriber: Redis, watched: Watched, events: KeyWatchEvents) {
    this.#events = events
    this.#subscriber = subscriber
    this.#watched = watched
    for (const client of [subscriber, watched.connection]) {
      const happens = ClientEvents.of(client)
      happens.on('ready', this.#arm)
      happens.on('close', this.#lose)
    }
    subscriber.on('messageBuffer', (_channel: Buffer, names: unknown) => {
      if (Array.isArray(names)) events.onKeys(names.map(name => String(name)))
      else events.onGap()
    })
    this.#arm()
  }

  close(): void {
    this.#closed = true
    const { connection, owned } = this.#watched
    this.#subscriber.disconnect()
    if (owned) {
      connection.disconnect()
      return
    }
    const happens = ClientEvents.of(connection)
    happens.off('ready', this.#arm)
    happens.off('close', this.#lose)
    // It tells a connection that is no more; where it cannot be told so, it is closed itself.
    if (connection.status === 'ready') {
      connection.call('CLIENT', 'TRACKING', 'OFF').catch(() => undefined)
    }
  }

  /** Begins when both connections are there. */
  async #begin(): Promise<void> {
    const subscriber = this.#subscriber
    const { connection, how } = this.#watched
    if (subscriber.status !== 'ready' || connection.status !== 'ready' || this.#up) return
    this.#up = true
    try {
      await subscriber.unsubscribe()
      const id = await subscriber.client('ID')
      await subscriber.subscribe(CHANNEL)
      await connection.call('CLIENT', 'TRACKING', 'OFF')
      await connection.call('CLIENT', ...['TRACKING', 'ON', 'REDIRECT', String(id), ...how])
    } catch (error) {
      this.#up = false
      if (isRefusal(error)) this.#events.onRefused(error)
      // Otherwise a connection broke meanwhile, which `close` reports; the next `ready` tries again.
      return
    }
    if (this.#closed) return
    this.#events.onGap()
    this.#events.onUp()
  }
}
