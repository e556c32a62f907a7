import {
  breakerRule,
  type Clock,
  checkMethods,
  checkPositive,
  setAwaitedTimer,
} from '@millrace/kit'
import { LimitStoreUnavailableError } from '../../errors.ts'
import { clusterNodeOf } from './cluster-node.ts'
import type { RedisClient } from './redis-client.ts'
import type { Reply, Script } from './script.ts'
import { withoutArguments } from './without-arguments.ts'

/** When a store that fails is left alone. */
export interface BreakerOptions {
  /** After so many failures in a row. Default: 3 */
  readonly failures?: number | undefined
  /** For so many ms; then one call tries it again. Default: 1,000 */
  readonly cooldown?: number | undefined
}

export interface StoreGuardOptions {
  /** How long one call to Redis may take, in ms, above 0 and finite. Default: 250 */
  readonly timeout?: number | undefined
  /** When Redis is left alone for a while; `false` to ask it each time. Default: the defaults of {@link BreakerOptions} */
  readonly breaker?: boolean | BreakerOptions | undefined
}

/** How often each process calls the store at least, in ms, whether it is called itself or not. */
export const HEARTBEAT = 1_000

/** Where there is none, a store that is owed something is tried as often all the same. */
const resolveBreaker = breakerRule(3, 1_000)

/**
 * Bounds every call to Redis: by a timeout, by a look at the connection first (a command for one that is down would sit
 * in the client's queue for seconds), and by a breaker.
 */
export class StoreGuard {
  readonly #client: RedisClient
  readonly #name: string
  readonly #clock: Clock
  readonly #timeout: number
  readonly #failures: number
  /** How long Redis is left alone after failures, in ms. */
  readonly cooldown: number
  #failed = 0
  #closedUntil = -Infinity
  /** When the last outage is over for all processes, ms on the clock. */
  #recoveredAt = -Infinity
  /** How often Redis has gone away, and when it did last, ms on the clock. */
  outages = 0
  awaySince: number = -Infinity
  /** Calls that were sent. */
  trips = 0
  unavailable = 0

  constructor(
    client: RedisClient,
    name: string,
    clock: Clock,
    { timeout = 250, breaker }: StoreGuardOptions,
  ) {
    this.#client = checkMethods('client', client, 'an ioredis client', ['eval', 'evalsha'])
    this.#name = name
    this.#clock = clock
    this.#timeout = checkPositive('timeout', timeout)
    const { failures, cooldown } = resolveBreaker('breaker', breaker)
    this.#failures = failures
    this.cooldown = cooldown
  }

  /** Whether the last call failed, and none has succeeded since. */
  get down(): boolean {
    return this.#failed > 0
  }

  /**
   * For how many ms more an outage counts as going on once Redis answers: until other processes have noticed as well, which may
   * leave Redis alone still. 0 where there was none.
   */
  recovery(now: number): number {
    return this.#failed > 0 ? this.#span : Math.max(0, this.#recoveredAt - now)
  }

  /** The node that has a key: see {@link clusterNodeOf}. */
  nodeOf(key: string): string {
    return clusterNodeOf(this.#client, key)
  }

  /**
   * @param late hears of an answer that came after the timeout, when no call waited for it any more
   * @throws {LimitStoreUnavailableError} with the cause, if there is one
   */
  async run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
    late?: (reply: Reply) => unknown,
  ): Promise<Reply> {
    const now = this.#clock.now()
    if (now < this.#closedUntil) throw this.#unavailable()
    if (this.#failed >= this.#failures) this.#closedUntil = now + this.cooldown
    const { status } = this.#client
    // A lazy client ('wait') connects when it is given its first command.
    if (status !== 'ready' && status !== 'wait') throw this.#fail(new Error(`Redis is ${status}`))
    this.trips++
    try {
      const reply = await this.#bounded(script.run(this.#client, keys, args), late)
      if (this.#failed > 0) this.#recover()
      return reply
    } catch (cause) {
      throw this.#fail(withoutArguments(cause))
    }
  }

  #bounded(reply: Promise<Reply>, late: ((reply: Reply) => unknown) | undefined): Promise<Reply> {
    return new Promise((resolve, reject) => {
      let expired = false
      const expire = () => {
        expired = true
        reject(new Error(`Redis did not answer within ${this.#timeout} ms`))
      }
      // After a stall of the event loop this runs before an answer that has long come is read: one turn for it.
      let timer = setAwaitedTimer(
        this.#clock,
        () => {
          timer = setAwaitedTimer(this.#clock, expire, 0)
        },
        this.#timeout,
      )
      reply.then(
        answer => {
          timer.cancel()
          resolve(answer)
          if (expired) late?.(answer)
        },
        error => {
          timer.cancel()
          reject(error)
        },
      )
    })
  }

  get #span(): number {
    return Math.max(this.cooldown, HEARTBEAT) + this.#timeout
  }

  #recover(): void {
    this.#failed = 0
    this.#closedUntil = -Infinity
    this.#recoveredAt = this.#clock.now() + this.#span
  }

  #fail(cause: unknown): LimitStoreUnavailableError {
    const now = this.#clock.now()
    if (this.#failed === 0 && now >= this.#recoveredAt) {
      this.outages++
      this.awaySince = now
    }
    this.#failed++
    if (this.#failed >= this.#failures) this.#closedUntil = now + this.cooldown
    return this.#unavailable(cause)
  }

  #unavailable(cause?: unknown): LimitStoreUnavailableError {
    this.unavailable++
    return new LimitStoreUnavailableError(this.#name, cause === undefined ? undefined : { cause })
  }
}
