import { type Clock, systemClock } from '../clock.ts'
import { InvalidOptionError, RateLimitedError, StoreUnavailableError } from '../errors.ts'
import { KeyedLimiter } from '../keyed/keyed-limiter.ts'
import type { AcquireOptions, Admission, Decision } from '../limiter/rate-limiter.ts'
import { nonNegative, oneOf, positive } from '../option-checks.ts'
import { BucketStore } from './bucket-store.ts'
import type { RedisClient } from './redis-client.ts'
import { Sleepers } from './sleepers.ts'
import type { StoreGuardOptions } from './store-guard.ts'

export interface RedisKeyedLimiterOptions extends StoreGuardOptions {
  /** An ioredis `Redis` or `Cluster`. It is not closed with the limiter. */
  client: RedisClient
  /** Which limit: processes that give the same id, rate and burst share it. */
  id: string
  /** Tokens per second and key; above 0. */
  rate: number
  /** The most tokens a key can save up; above 0. Default: `rate`, at least 1. */
  burst?: number | undefined
  /** Before the id in Redis; default `'millrace:limit:'`. */
  prefix?: string | undefined
  /** The longest anybody may wait, in ms, and the timeout of callers that give none; default 60,000. */
  maxWait?: number | undefined
  /** What happens while Redis is not available: see {@link OutageMode}; default `'local'`, a share of each key's rate. */
  whenDown?: 'closed' | 'open' | 'local' | undefined
  /** By how many processes the rate is divided while Redis is not available; default 1. */
  processes?: number | undefined
  /** The most keys kept in this process while Redis is not available; default 100,000. */
  maxKeys?: number | undefined
  /** In errors, statistics and diagnostics; default the id. */
  name?: string | undefined
  clock?: Clock | undefined
}

export interface RedisKeyedLimiterStats {
  granted: number
  refused: number
  waiting: number
  trips: number
  unavailable: number
  /** 1 while Redis is not available, else 0. */
  down: number
}

/** A token bucket per key that processes share through Redis: one round trip per call, and no memory for full buckets. */
export class RedisKeyedLimiter {
  readonly name: string
  readonly #clock: Clock
  readonly #store: BucketStore
  readonly #prefix: string
  readonly #burst: number
  readonly #interval: number
  readonly #maxWait: number
  readonly #whenDown: 'closed' | 'open' | 'local'
  readonly #local: KeyedLimiter
  readonly #sleepers: Sleepers
  #granted = 0
  #refused = 0

  constructor({
    client,
    id,
    rate,
    burst = Math.max(1, rate),
    prefix = 'millrace:limit:',
    maxWait = 60_000,
    whenDown = 'local',
    processes = 1,
    maxKeys,
    name = id,
    clock = systemClock,
    ...guard
  }: RedisKeyedLimiterOptions) {
    this.name = name
    this.#clock = clock
    this.#prefix = `${prefix}${id}:`
    this.#interval = 1_000 / positive('rate', rate)
    this.#burst = positive('burst', burst)
    this.#maxWait = positive('maxWait', maxWait)
    this.#whenDown = oneOf('whenDown', whenDown, ['closed', 'open', 'local'])
    this.#sleepers = new Sleepers(clock)
    this.#store = new BucketStore({ client, name, clock, rate, burst, maxWait, ...guard })
    this.#local = new KeyedLimiter({
      rate: rate / positive('processes', processes),
      burst: Math.max(Math.min(1, burst), burst / processes),
      maxKeys,
      name,
      clock,
    })
  }

  /** Tokens per second and key. */
  get rate(): number {
    return 1_000 / this.#interval
  }

  /** The most tokens of a key. */
  get burst(): number {
    return this.#burst
  }

  /** Spends `cost` of the key if that is possible now. */
  async tryAcquire(key: string, cost = 1): Promise<boolean> {
    return (await this.decide(key, cost)).allowed
  }

  /**
   * {@link tryAcquire} with all that a response header or a log line needs.
   *
   * @throws (by rejection) {StoreUnavailableError} where `whenDown` is `'closed'`; {InvalidOptionError} if `cost` is more
   *   than a bucket can ever hold
   */
  async decide(key: string, cost = 1): Promise<Decision> {
    this.#checkCost(cost)
    try {
      const { granted, wait, available } = await this.#store.reserve(this.#keyOf(key), cost, 0)
      this.#count(granted, cost)
      return {
        allowed: granted,
        limit: this.#burst,
        remaining: Math.max(0, available),
        resetAfter: Math.max(0, (this.#burst - available) * this.#interval),
        retryAfter: granted ? 0 : wait,
      }
    } catch (error) {
      return this.#decideDuringOutage(key, cost, error)
    }
  }

  /**
   * Spends `cost` of the key, after waiting for its turn among the callers with the same key in all processes.
   *
   * @throws (by rejection) as {@link RedisTokenBucket.acquire} does
   */
  async acquire(key: string, cost = 1, options: AcquireOptions = {}): Promise<Admission> {
    this.#checkCost(cost)
    if (options.timeout !== undefined) nonNegative('timeout', options.timeout)
    options.signal?.throwIfAborted()
    const since = this.#clock.now()
    try {
      const timeout = Math.min(options.timeout ?? Infinity, this.#maxWait)
      const { granted, wait } = await this.#store.reserve(this.#keyOf(key), cost, timeout)
      if (!granted) {
        this.#refused++
        throw new RateLimitedError(this.name, wait)
      }
      await this.#sleep(key, cost, wait, options.signal)
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || this.#whenDown === 'closed') throw error
      if (this.#whenDown === 'local') await this.#local.acquire(key, cost, options)
    }
    this.#granted += cost
    return { waited: this.#clock.now() - since }
  }

  /** Gives back what was granted to the key but not used. */
  async refund(key: string, cost = 1): Promise<void> {
    await this.#store.refund(this.#keyOf(key), cost)
  }

  stats(): RedisKeyedLimiterStats {
    return {
      granted: this.#granted,
      refused: this.#refused,
      waiting: this.#sleepers.size + this.#local.stats().waiting,
      trips: this.#store.guard.trips,
      unavailable: this.#store.guard.unavailable,
      down: this.#store.guard.down ? 1 : 0,
    }
  }

  async #sleep(
    key: string,
    cost: number,
    wait: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    try {
      signal?.throwIfAborted()
      if (wait > 0) await this.#sleepers.sleep(wait, signal)
    } catch (error) {
      // A slot that cannot be given back stays empty: the limit is kept all the same.
      this.#store.refund(this.#keyOf(key), cost).catch(() => {})
      throw error
    }
  }

  #decideDuringOutage(key: string, cost: number, error: unknown): Decision {
    if (!(error instanceof StoreUnavailableError) || this.#whenDown === 'closed') throw error
    if (this.#whenDown === 'local') {
      const decision = this.#local.decide(key, Math.min(cost, this.#burst))
      this.#count(decision.allowed, cost)
      return decision
    }
    this.#count(true, cost)
    return { allowed: true, limit: this.#burst, remaining: 0, resetAfter: 0, retryAfter: 0 }
  }

  #count(granted: boolean, cost: number): void {
    if (granted) this.#granted += cost
    else this.#refused++
  }

  /** The key's own part is in braces, so that a Cluster spreads keys over its nodes. */
  #keyOf(key: string): string {
    if (typeof key !== 'string') throw new InvalidOptionError('key', 'a string', key)
    return `${this.#prefix}{${key}}`
  }

  #checkCost(cost: number): void {
    if (cost >= 0 && cost <= this.#burst) return
    throw new InvalidOptionError('cost', `a number from 0 to the burst of ${this.#burst}`, cost)
  }
}
