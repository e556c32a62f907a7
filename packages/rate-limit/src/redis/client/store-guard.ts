import type { Clock } from '../../clock.ts'
import { StoreUnavailableError } from '../../errors.ts'
import { positive, positiveInteger } from '../../option-checks.ts'
import type { RedisClient } from './redis-client.ts'
import type { Script } from '../scripts/script.ts'

export interface StoreGuardOptions {
  /** How long one call to Redis may take, in ms; default 250. */
  deadline?: number | undefined
  /** After so many failures in a row Redis is left alone for a while; default 3. */
  failures?: number | undefined
  /** How long, in ms; then one call tries it again; default 1,000. */
  retryAfter?: number | undefined
}

/**
 * Bounds every call to Redis: by a deadline, by a look at the connection first (a command for one that is down would sit
 * in the client's queue for seconds), and by a breaker.
 */
export class StoreGuard {
  readonly #client: RedisClient
  readonly #name: string
  readonly #clock: Clock
  readonly #deadline: number
  readonly #failures: number
  /** How long Redis is left alone after failures, in ms. */
  readonly retryAfter: number
  #failed = 0
  #closedUntil = -Infinity
  /** Calls that were sent. */
  trips = 0
  unavailable = 0

  constructor(
    client: RedisClient,
    name: string,
    clock: Clock,
    { deadline = 250, failures = 3, retryAfter = 1_000 }: StoreGuardOptions,
  ) {
    this.#client = client
    this.#name = name
    this.#clock = clock
    this.#deadline = positive('deadline', deadline)
    this.#failures = positiveInteger('failures', failures)
    this.retryAfter = positive('retryAfter', retryAfter)
  }

  /** Whether the last call failed, and none has succeeded since. */
  get down(): boolean {
    return this.#failed > 0
  }

  /**
   * @param late hears of an answer that came after the deadline, when nobody waited for it any more
   * @throws {StoreUnavailableError} with the cause, if there is one
   */
  async run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
    late?: (reply: number[]) => unknown,
  ): Promise<number[]> {
    const now = this.#clock.now()
    if (now < this.#closedUntil) throw this.#unavailable()
    if (this.#failed >= this.#failures) this.#closedUntil = now + this.retryAfter
    const { status } = this.#client
    // A lazy client ('wait') connects when it is given its first command.
    if (status !== 'ready' && status !== 'wait') throw this.#fail(new Error(`Redis is ${status}`))
    this.trips++
    try {
      const reply = await this.#bounded(script.run(this.#client, keys, args), late)
      this.#failed = 0
      this.#closedUntil = -Infinity
      return reply
    } catch (cause) {
      throw this.#fail(cause)
    }
  }

  #bounded(
    reply: Promise<number[]>,
    late: ((reply: number[]) => unknown) | undefined,
  ): Promise<number[]> {
    return new Promise((resolve, reject) => {
      let expired = false
      const expire = () => {
        expired = true
        reject(new Error(`Redis did not answer within ${this.#deadline} ms`))
      }
      // After a stall of the event loop this runs before an answer that has long come is read: one turn for it.
      let timer = this.#clock.setTimer(() => {
        timer = this.#clock.setTimer(expire, 0)
      }, this.#deadline)
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

  #fail(cause: unknown): StoreUnavailableError {
    this.#failed++
    if (this.#failed >= this.#failures) this.#closedUntil = this.#clock.now() + this.retryAfter
    return this.#unavailable(cause)
  }

  #unavailable(cause?: unknown): StoreUnavailableError {
    this.unavailable++
    return new StoreUnavailableError(this.#name, cause === undefined ? undefined : { cause })
  }
}
