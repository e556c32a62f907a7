import type { Clock } from '@millrace/cache-core'
import { StoreClosedError } from '@millrace/cache-core/store'
import {
  breakerRule,
  CircuitBreaker,
  checkClock,
  checkInteger,
  checkPositive,
  counters,
  gauges,
  monotonicClock,
  type StatsKinds,
} from '@millrace/kit'
import { RedisUnavailableError, type UnavailableReason } from '../errors.ts'
import { Call, type CallFailure, type CallOwner, type Failure } from './call.ts'
import { traced } from './channels.ts'
import type { Client } from './client.ts'
import { ClientEvents } from './client-events.ts'
import { connected } from './connected.ts'
import { isRefusal } from './refusal.ts'
import { type ConnectionTarget, clientOf, TARGET_OPTIONS, type TargetedNames } from './target.ts'

/** When calls stop being sent to a Redis that does not answer. */
export interface BreakerOptions {
  /** Consecutive failures after which the breaker opens, at least 1. Default: 5 */
  readonly failures?: number | undefined
  /**
   * ms for which an opened breaker refuses everything, > 0; doubled, up to 20 times as many, each time the call let through after it fails too.
   * Default: 500
   */
  readonly cooldown?: number | undefined
}

/** How a {@link Connection} meets trouble. */
export interface ConnectionOptions {
  /**
   * ms after which an operation fails if Redis has not answered, > 0 and finite. Large values get a fifth of a microsecond per byte on top, those
   * before them on the connection included. Default: 1,000
   */
  readonly timeout?: number | undefined
  /** Calls that may wait for an answer at one time, a positive integer, whatever they concern; more fail at once. Default: 10,000 */
  readonly maxPending?: number | undefined
  /** When to stop asking a Redis that does not answer; `false` for never. Default: the defaults of {@link BreakerOptions} */
  readonly breaker?: boolean | BreakerOptions | undefined
  /** Source of time. Default: the system's monotonic clock */
  readonly clock?: Clock | undefined
}

/** Names of all options that say where Redis is and how it is met. */
export const CONNECTION_OPTIONS: TargetedNames<ConnectionOptions> = {
  ...TARGET_OPTIONS,
  timeout: true,
  maxPending: true,
  breaker: true,
  clock: true,
}

/** Counters of a {@link Connection}. */
export interface ConnectionStats {
  /** Calls that wait for an answer now. */
  readonly pending: number
  /** Commands sent; those of one script call are one. */
  readonly trips: number
  /** Bytes of keys and values sent in script calls, and of values received. */
  readonly bytes: number
  /** Operations given up at their timeout. */
  readonly timeouts: number
  /** Operations that failed otherwise, except by their caller's signal. */
  readonly failures: number
  /** How often the breaker has opened. */
  readonly breakerOpened: number
  /** 1 while the breaker is not closed, else 0. */
  readonly breakerOpen: number
}

/** What the numbers of {@link ConnectionStats} are. */
export const CONNECTION_STATS_KINDS: StatsKinds<ConnectionStats> = {
  ...gauges('pending', 'breakerOpen'),
  ...counters('trips', 'bytes', 'timeouts', 'failures', 'breakerOpened'),
}

const resolveBreaker = breakerRule(5, 500)
/** Most of the doubled cooldown, in cooldowns. */
const GROWTH = 20
/** The slowest transfer that is no outage, in bytes per ms. */
const SLOWEST_TRANSFER = 5_000

/**
 * Operations on Redis that end in time: with a result, or with a typed error at their timeout at the latest, whatever state
 * the connection is in.
 */
export class Connection {
  readonly client: Client
  readonly timeout: number
  readonly clock: Clock
  readonly #events: ClientEvents
  readonly #owned: boolean
  readonly #maxPending: number
  readonly #breaker: CircuitBreaker
  readonly #onError = (error: unknown): void => {
    this.#lastError = error
  }
  readonly #onReady = (): void => {
    this.#sessions++
    this.#lastError = undefined
  }
  readonly #owner: CallOwner
  /** Why the client is not connected, as far as it said. */
  #lastError: unknown
  #sessions = 0
  #pending = 0
  /** While the parts of a call begin: how many have. */
  #parts: number | undefined
  /** Bytes that are under way in calls not answered yet. */
  #underWay = 0
  #trips = 0
  #bytes = 0
  #timeouts = 0
  #failures = 0
  #closed = false
  /** Ends the waits for a connection. */
  readonly #closing = new AbortController()

  /** @throws {InvalidOptionError} */
  constructor(target: ConnectionTarget, options: ConnectionOptions = {}) {
    const { timeout = 1_000, maxPending = 10_000, clock = monotonicClock } = options
    this.clock = checkClock('clock', clock)
    this.timeout = checkPositive('timeout', timeout)
    this.#maxPending = checkInteger('maxPending', maxPending, 1)
    const breaker = resolveBreaker('breaker', options.breaker)
    this.#breaker = new CircuitBreaker(clock, breaker, GROWTH)
    this.#owned = target.client === undefined
    this.client = clientOf(target)
    this.#events = ClientEvents.of(this.client)
    this.#events.on('error', this.#onError)
    this.#events.on('ready', this.#onReady)
    const connection = this
    this.#owner = {
      client: this.client,
      clock,
      get sessions() {
        return connection.#sessions
      },
      timeoutFor: bytes => this.timeoutFor(bytes),
      carry: bytes => this.#carry(bytes),
      onSent: () => this.#trips++,
      onTimeout: operations => {
        this.#timeouts += operations
        this.#fail(operations)
      },
      onSuccess: () => this.#breaker.settle(true),
      onFailure: (operations, cause, sent) => this.#onFailure(operations, cause, sent),
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Whether one more operation may be begun now.
   *
   * @throws {StoreClosedError} after `close`
   * @throws {RedisUnavailableError} if there is no connection, the breaker is open or too much waits already
   */
  admit(operation: string): void {
    if (this.#closed) throw new StoreClosedError()
    const reason = this.#refusal()
    if (reason === undefined) return
    this.#failures++
    const cause = reason === 'disconnected' ? this.#lastError : undefined
    throw new RedisUnavailableError(operation, reason, { cause })
  }

  /** ms that a call which sends `bytes` now may take. */
  timeoutFor(bytes: number): number {
    return this.timeout + (this.#underWay + bytes) / SLOWEST_TRANSFER
  }

  /** Begins the parts of one call, which is admitted as a whole, or not at all, and counts as one that waits. */
  together<T>(begin: () => T): T {
    this.#parts = 0
    try {
      return begin()
    } finally {
      this.#parts = undefined
    }
  }

  /**
   * Admits an operation that waits from now on.
   *
   * @returns for how many it counts, to be told to {@link wait} when it ends
   * @throws as {@link admit}
   */
  enter(operation: string): number {
    const further = this.#parts !== undefined && this.#parts > 0
    if (!further) this.admit(operation)
    if (this.#parts !== undefined) this.#parts++
    const weight = further ? 0 : 1
    this.#pending += weight
    return weight
  }

  /** Counts operations that begin to wait, or, below 0, cease to. */
  wait(count: number): void {
    this.#pending += count
  }

  /** Begins a call, whose operations are admitted and counted as waiting by who makes it. */
  begin<T>(failed: (errorOf: (operation: string) => CallFailure) => void): Call<T> {
    return new Call<T>(this.#owner, failed)
  }

  /**
   * Runs one operation by one command.
   *
   * @throws {RedisTimeoutError} at the timeout
   * @throws {RedisUnavailableError} if there is no connection, it breaks, the breaker is open, too much waits already, or Redis
   *   answers with an error
   * @throws the signal's reason
   */
  run<T>(
    operation: string,
    keys: number,
    signal: AbortSignal | undefined,
    work: (client: Client) => Promise<T>,
    bytes = 0,
  ): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    return traced(
      operation,
      keys,
      () =>
        new Promise<T>((resolve, reject) => {
          this.admit(operation)
          this.wait(1)
          const leave = (): void => {
            this.wait(-1)
            signal?.removeEventListener('abort', abort)
          }
          const abort = (): void => {
            leave()
            reject(signal!.reason)
          }
          signal?.addEventListener('abort', abort)
          const call = this.begin<T>(errorOf => {
            if (signal?.aborted) return
            leave()
            reject(errorOf(operation))
          })
          call.add(bytes)
          call.send(work, result => {
            if (signal?.aborted) return
            leave()
            resolve(result)
          })
        }),
    )
  }

  /** Counts bytes of values that arrived. */
  receive(bytes: number): void {
    this.#bytes += bytes
  }

  /**
   * Resolves when there is a connection.
   *
   * @throws {RedisUnavailableError} if Redis refuses the credentials, or the client does not connect any more
   * @throws {StoreClosedError} after `close`, and if it comes first
   * @throws the signal's reason
   */
  ready(signal?: AbortSignal): Promise<void> {
    const closing = this.#closing.signal
    return connected(
      this.client,
      this.#lastError,
      signal === undefined ? closing : AbortSignal.any([closing, signal]),
    )
  }

  stats(): ConnectionStats {
    const breaker = this.#breaker
    return {
      pending: this.#pending,
      trips: this.#trips,
      bytes: this.#bytes,
      timeouts: this.#timeouts,
      failures: this.#failures,
      breakerOpened: breaker.opened,
      breakerOpen: breaker.state === 'closed' ? 0 : 1,
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#events.off('error', this.#onError)
    this.#events.off('ready', this.#onReady)
    this.#closing.abort(new StoreClosedError())
    if (this.#owned) this.client.disconnect()
  }

  #carry(bytes: number): void {
    this.#underWay += bytes
    if (bytes > 0) this.#bytes += bytes
  }

  #onFailure(operations: number, error: unknown, sent: boolean): Failure {
    this.#failures += operations
    // That the connection broke, or was waited for in vain, says less than why there is none.
    const vague = (error as Error | undefined)?.name === 'MaxRetriesPerRequestError'
    const cause = vague || isRefusal(this.#lastError) ? (this.#lastError ?? error) : error
    const answered = (cause as Error | undefined)?.name === 'ReplyError'
    // A server that refuses does answer.
    if (answered) this.#breaker.settle(true)
    else this.#fail(operations)
    return { reason: answered ? 'reply' : sent ? 'connection' : 'disconnected', cause }
  }

  #fail(count: number): void {
    for (let i = 0; i < count; i++) this.#breaker.settle(false)
  }

  /** Why nothing may be sent now, if so. The breaker is asked last: it counts on the outcome of what it admits. */
  #refusal(): UnavailableReason | undefined {
    // ioredis would queue the command until a connection is there, which may be never.
    if (!canSend(this.client)) return 'disconnected'
    if (this.#pending >= this.#maxPending) return 'overloaded'
    if (this.#breaker.enter() > 0) return 'breaker'
    return undefined
  }
}

/** Whether a command sent now can be answered soon: connected, or on the first way there. */
function canSend({ status }: Client): boolean {
  return status === 'ready' || status === 'connect' || status === 'connecting' || status === 'wait'
}
