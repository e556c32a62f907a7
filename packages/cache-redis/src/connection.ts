import { StoreClosedError } from '@millrace/cache-core/store'
import { Redis, type RedisOptions } from 'ioredis'
import { traced } from './channels.ts'
import { type BreakerOptions, CircuitBreaker } from './circuit-breaker.ts'
import type { Client } from './client.ts'
import { type Clock, systemClock } from './clock.ts'
import {
  InvalidOptionError,
  RedisTimeoutError,
  RedisUnavailableError,
  type UnavailableReason,
} from './errors.ts'

/** Where Redis is. */
export type ConnectionTarget =
  /** A client made elsewhere; it stays open when the store closes. */
  | { readonly client: Client }
  /** A `redis://` or `rediss://` URL; the store makes a client and closes it. */
  | { readonly url: string; readonly client?: undefined }
  /** Options of ioredis; the store makes a client and closes it. */
  | { readonly connection: RedisOptions; readonly client?: undefined; readonly url?: undefined }

/** How a {@link Connection} meets trouble. */
export interface ConnectionOptions {
  /** ms after which an operation fails if Redis has not answered, > 0. Default 1,000. */
  readonly deadline?: number
  /** Operations that may wait for an answer at one time, a positive integer; more fail at once. Default 10,000. */
  readonly maxPending?: number
  /** When to stop asking a Redis that does not answer; `false` for never. */
  readonly breaker?: BreakerOptions | false
  /** Source of time. Default: the system's. */
  readonly clock?: Clock
}

/** Counters of a {@link Connection}. */
export interface ConnectionStats {
  /** Operations that wait for an answer now. */
  readonly pending: number
  /** Operations given up at their deadline. */
  readonly timeouts: number
  /** Operations that failed otherwise, except by their caller's signal. */
  readonly failures: number
  /** How often the breaker has opened. */
  readonly breakerOpened: number
  /** 1 while the breaker is not closed, else 0. */
  readonly breakerOpen: number
}

/**
 * Operations on Redis that end in time: with a result, or with a typed error at the deadline at the latest, whatever state
 * the connection is in.
 */
export class Connection {
  readonly client: Client
  readonly #owned: boolean
  readonly #deadline: number
  readonly #maxPending: number
  readonly #breaker: CircuitBreaker | undefined
  readonly #clock: Clock
  #pending = 0
  #timeouts = 0
  #failures = 0
  #closed = false

  /** @throws {InvalidOptionError} */
  constructor(target: ConnectionTarget, options: ConnectionOptions = {}) {
    const { deadline = 1_000, maxPending = 10_000, breaker = {}, clock = systemClock } = options
    if (!(deadline > 0 && deadline < Infinity)) {
      throw new InvalidOptionError('deadline', 'a finite number > 0', deadline)
    }
    if (!(Number.isInteger(maxPending) && maxPending >= 1)) {
      throw new InvalidOptionError('maxPending', 'a positive integer', maxPending)
    }
    this.#breaker = breaker === false ? undefined : new CircuitBreaker(breaker, clock)
    this.#deadline = deadline
    this.#maxPending = maxPending
    this.#clock = clock
    this.#owned = target.client === undefined
    this.client = target.client ?? connect(target)
  }

  /**
   * Runs an operation of one or more commands.
   *
   * @throws RedisTimeoutError at the deadline
   * @throws RedisUnavailableError if there is no connection, it breaks, the breaker is open, too much waits already, or Redis
   *   answers with an error
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
    const breaker = this.#breaker
    return {
      pending: this.#pending,
      timeouts: this.#timeouts,
      failures: this.#failures,
      breakerOpened: breaker?.opened ?? 0,
      breakerOpen: breaker === undefined || breaker.state === 'closed' ? 0 : 1,
    }
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
    const refusal = this.#refusal()
    if (refusal !== undefined) {
      this.#failures++
      return Promise.reject(new RedisUnavailableError(operation, refusal))
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
      const abort = () =>
        settle(() => {
          this.#breaker?.abandon()
          reject(signal!.reason)
        })
      const timer = this.#clock.setTimer(() => {
        settle(() => {
          this.#timeouts++
          this.#breaker?.fail()
          reject(new RedisTimeoutError(operation, this.#deadline))
        })
      }, this.#deadline)
      this.#pending++
      signal?.addEventListener('abort', abort)
      work(this.client).then(
        value =>
          settle(() => {
            this.#breaker?.succeed()
            resolve(value)
          }),
        cause => {
          settle(() => {
            this.#failures++
            const reason = cause?.name === 'ReplyError' ? 'reply' : 'connection'
            // A server that refuses does answer.
            if (reason === 'reply') this.#breaker?.succeed()
            else this.#breaker?.fail()
            reject(new RedisUnavailableError(operation, reason, { cause }))
          })
        },
      )
    })
  }

  /** Why nothing may be sent now, if so. The breaker is asked last: it counts on the outcome of what it admits. */
  #refusal(): UnavailableReason | undefined {
    // ioredis would queue the command until a connection is there, which may be never.
    if (!canSend(this.client)) return 'disconnected'
    if (this.#pending >= this.#maxPending) return 'overloaded'
    if (this.#breaker?.admit() === false) return 'breaker'
    return undefined
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
