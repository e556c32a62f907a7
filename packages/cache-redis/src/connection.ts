import { StoreClosedError } from '@millrace/cache-core/store'
import { Redis, type RedisOptions } from 'ioredis'
import { traced } from './channels.ts'
import type { Client } from './client.ts'
import type { Clock } from './clock.ts'
import { RedisTimeoutError, RedisUnavailableError } from './errors.ts'

/** Where Redis is. */
export type ConnectionTarget =
  /** A client made elsewhere; it stays open when the store closes. */
  | { readonly client: Client }
  /** A `redis://` or `rediss://` URL; the store makes a client and closes it. */
  | { readonly url: string; readonly client?: undefined }
  /** Options of ioredis; the store makes a client and closes it. */
  | { readonly connection: RedisOptions; readonly client?: undefined; readonly url?: undefined }

/** Counters of a {@link Connection}. */
export interface ConnectionStats {
  /** Operations that wait for an answer now. */
  readonly pending: number
  /** Operations given up at their deadline. */
  readonly timeouts: number
  /** Operations that failed otherwise, except by their caller's signal. */
  readonly failures: number
}

/**
 * Operations on Redis that end in time: with a result, or with a typed error at the deadline at the latest, whatever state
 * the connection is in.
 */
export class Connection {
  readonly client: Client
  readonly #owned: boolean
  readonly #deadline: number
  readonly #clock: Clock
  #pending = 0
  #timeouts = 0
  #failures = 0
  #closed = false

  constructor(target: ConnectionTarget, deadline: number, clock: Clock) {
    this.#owned = target.client === undefined
    this.client = target.client ?? connect(target)
    this.#deadline = deadline
    this.#clock = clock
  }

  /**
   * Runs an operation of one or more commands.
   *
   * @throws RedisTimeoutError at the deadline
   * @throws RedisUnavailableError if there is no connection, it breaks, or Redis answers with an error
   * @throws the signal's reason
   */
  run<T>(
    operation: string,
    keys: number,
    signal: AbortSignal | undefined,
    work: (client: Client) => Promise<T>,
  ): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#closed) return Promise.reject(new StoreClosedError())
    return traced(operation, keys, () => this.#race(operation, signal, work))
  }

  stats(): ConnectionStats {
    return { pending: this.#pending, timeouts: this.#timeouts, failures: this.#failures }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#owned) this.client.disconnect()
  }

  #race<T>(
    operation: string,
    signal: AbortSignal | undefined,
    work: (client: Client) => Promise<T>,
  ): Promise<T> {
    // ioredis would queue the command until a connection is there, which may be never.
    if (!canSend(this.client)) {
      this.#failures++
      return Promise.reject(new RedisUnavailableError(operation, 'disconnected'))
    }
    return new Promise<T>((resolve, reject) => {
      let settled = false
      const settle = (outcome: () => void) => {
        if (settled) return
        settled = true
        this.#pending--
        timer.cancel()
        signal?.removeEventListener('abort', abort)
        outcome()
      }
      const abort = () => settle(() => reject(signal!.reason))
      const timer = this.#clock.setTimer(() => {
        settle(() => {
          this.#timeouts++
          reject(new RedisTimeoutError(operation, this.#deadline))
        })
      }, this.#deadline)
      this.#pending++
      signal?.addEventListener('abort', abort)
      work(this.client).then(
        value => settle(() => resolve(value)),
        cause => {
          settle(() => {
            this.#failures++
            const reason = cause?.name === 'ReplyError' ? 'reply' : 'connection'
            reject(new RedisUnavailableError(operation, reason, { cause }))
          })
        },
      )
    })
  }
}

function connect(target: Exclude<ConnectionTarget, { readonly client: Client }>): Redis {
  const options: RedisOptions = {
    // Commands written in one turn of the event loop travel together.
    enableAutoPipelining: true,
    // Waiting longer is the deadline's business.
    maxRetriesPerRequest: 1,
    ...(target.url === undefined ? (target as { connection: RedisOptions }).connection : {}),
  }
  const client = target.url === undefined ? new Redis(options) : new Redis(target.url, options)
  // Each operation reports its own failure; without a listener ioredis prints every attempt to reconnect.
  client.on('error', () => undefined)
  return client
}

/** Whether a command sent now can be answered soon: connected, or on the first way there. */
function canSend({ status }: Client): boolean {
  return status === 'ready' || status === 'connect' || status === 'connecting' || status === 'wait'
}
