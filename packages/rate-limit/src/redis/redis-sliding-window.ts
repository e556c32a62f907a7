import { randomUUID } from 'node:crypto'
import { publishRefusal } from '../channels.ts'
import { type Clock, systemClock } from '../clock.ts'
import { InvalidOptionError } from '../errors.ts'
import type { AcquireOptions, Admission, Decision } from '../limiter/rate-limiter.ts'
import { positive, positiveInteger } from '../option-checks.ts'
import type { WaitOrder } from '../wait/wait-order.ts'
import type { RedisClient } from './redis-client.ts'
import { type Attempt, RemoteQueue } from './remote-queue.ts'
import { StoreGuard, type StoreGuardOptions } from './store-guard.ts'
import { forgetScript, windowScript } from './window-scripts.ts'

export interface RedisSlidingWindowOptions extends StoreGuardOptions {
  /** An ioredis `Redis` or `Cluster`. It is not closed with the limiter. */
  client: RedisClient
  /** Which limit: processes that give the same id, limit and window share it. */
  id: string
  /** The most permits in any `window`; a positive integer. Redis keeps some 100 bytes for each. */
  limit: number
  /** Its length in ms. */
  window: number
  /** Before the id in Redis; default `'millrace:limit:'`. */
  prefix?: string | undefined
  /** The most callers of this process that may wait; default Infinity. */
  maxQueue?: number | undefined
  order?: WaitOrder | undefined
  /** In errors, statistics and diagnostics; default the id. */
  name?: string | undefined
  clock?: Clock | undefined
}

export interface RedisSlidingWindowStats {
  granted: number
  refused: number
  waiting: number
  timeouts: number
  aborts: number
  trips: number
  unavailable: number
}

interface Grant {
  readonly nonce: string
  readonly cost: number
}

/**
 * At most `limit` permits of all processes in any window: an exact log in Redis. Callers that wait do so in order within
 * a process; between processes whoever asks first when a permit is free. Redis away means {@link StoreUnavailableError}.
 */
export class RedisSlidingWindow {
  readonly name: string
  readonly #clock: Clock
  readonly #guard: StoreGuard
  readonly #queue: RemoteQueue<Grant>
  readonly #key: string
  readonly #limit: number
  readonly #window: number
  readonly #identity = randomUUID()
  #calls = 0
  #granted = 0
  #refused = 0

  constructor({
    client,
    id,
    limit,
    window,
    prefix = 'millrace:limit:',
    maxQueue,
    order,
    name = id,
    clock = systemClock,
    ...guard
  }: RedisSlidingWindowOptions) {
    this.name = name
    this.#clock = clock
    this.#key = `${prefix}{${id}}:window`
    this.#limit = positiveInteger('limit', limit)
    this.#window = positive('window', window)
    this.#guard = new StoreGuard(client, name, clock, guard)
    this.#queue = new RemoteQueue<Grant>({
      name,
      clock,
      maxQueue,
      order,
      attempt: cost => this.#attempt(cost),
      giveBack: grant => this.#forget(grant),
    })
  }

  /** Spends `cost` if that is possible now and nobody in this process waits. */
  async tryAcquire(cost = 1): Promise<boolean> {
    return (await this.decide(cost)).allowed
  }

  /** {@link tryAcquire} with all that a response header or a log line needs. */
  async decide(cost = 1): Promise<Decision> {
    this.#checkCost(cost)
    const [granted, wait, remaining, reset] = await this.#ask(cost)
    if (granted === 1) this.#granted += cost
    else {
      this.#refused++
      publishRefusal(this.name, cost, wait / 1_000)
    }
    return {
      allowed: granted === 1,
      limit: this.#limit,
      remaining,
      resetAfter: reset / 1_000,
      retryAfter: wait / 1_000,
    }
  }

  /**
   * Spends `cost`, after waiting for its turn if need be.
   *
   * @throws (by rejection) {AcquireTimeoutError}; `signal.reason` on abort; {QueueFullError}; {LimiterClosedError};
   *   {StoreUnavailableError}; {InvalidOptionError}
   */
  async acquire(first?: number | AcquireOptions, second?: AcquireOptions): Promise<Admission> {
    const options = typeof first === 'object' ? first : second
    const cost = (typeof first === 'number' ? first : options?.cost) ?? 1
    this.#checkCost(cost)
    const since = this.#clock.now()
    await this.#queue.wait(cost, options)
    this.#granted += cost
    return { waited: this.#clock.now() - since }
  }

  stats(): RedisSlidingWindowStats {
    return {
      granted: this.#granted,
      refused: this.#refused + this.#queue.refused,
      waiting: this.#queue.size,
      timeouts: this.#queue.timeouts,
      aborts: this.#queue.aborts,
      trips: this.#guard.trips,
      unavailable: this.#guard.unavailable,
    }
  }

  /** Rejects all who wait with {@link LimiterClosedError}. */
  [Symbol.dispose](): void {
    this.#queue.close()
  }

  async #attempt(cost: number): Promise<Attempt<Grant>> {
    const [granted, wait] = await this.#ask(cost)
    if (granted === 0) return { granted: false, retryIn: wait / 1_000 }
    return { granted: true, value: { nonce: this.#nonce(), cost } }
  }

  async #ask(cost: number): Promise<[number, number, number, number]> {
    this.#calls++
    const args = [this.#window * 1_000, this.#limit, cost, this.#nonce()]
    return (await this.#guard.run(windowScript, [this.#key], args)) as [
      number,
      number,
      number,
      number,
    ]
  }

  #nonce(): string {
    return `${this.#identity}:${this.#calls}`
  }

  #forget({ nonce, cost }: Grant): void {
    const members = Array.from({ length: cost }, (_, index) => `${nonce}:${index + 1}`)
    // What cannot be given back leaves the window by itself.
    this.#guard.run(forgetScript, [this.#key], [this.#window * 1_000, ...members]).catch(() => {})
  }

  #checkCost(cost: number): void {
    if (Number.isInteger(cost) && cost >= 1 && cost <= this.#limit) return
    throw new InvalidOptionError('cost', `an integer from 1 to the limit of ${this.#limit}`, cost)
  }
}
