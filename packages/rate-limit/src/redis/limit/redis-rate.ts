import { describeStats } from '@millrace/kit'
import type { Decision } from '../../limiter/rate-limiter.ts'
import {
  type AcquireOptions,
  type Admission,
  costOf,
  costTwice,
  optionsOf,
} from '../../wait/acquire-options.ts'
import { REDIS_RATE_STATS_KINDS, type RedisRateStats, type SharedRate } from './shared-rate.ts'

/** One limit on a rate that processes share through Redis. */
export abstract class RedisRate {
  readonly #shared: SharedRate

  /** @internal */
  protected constructor(shared: SharedRate) {
    this.#shared = shared
  }

  get name(): string {
    return this.#shared.limit.name
  }

  /** Spends `cost` if that is possible now. @throws (by rejection) as {@link decide} does */
  async tryAcquire(cost = 1): Promise<boolean> {
    return (await this.decide(cost)).allowed
  }

  /**
   * {@link tryAcquire} with all that a response header or a log line needs.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} where `whenDown` is `'closed'`, or if `cost` is more than a local share
   *   holds; {InvalidOptionError} if it is more than can ever pass; {LimiterClosedError}
   */
  async decide(cost = 1): Promise<Decision> {
    return this.#shared.decide(this.#shared.key, cost)
  }

  /**
   * Spends `cost`, after waiting for its turn if need be.
   *
   * @throws (by rejection) {RateLimitedError} at once, if the wait of a bucket is known to exceed `timeout` or `maxWait`;
   *   {AcquireTimeoutError} if others make it exceed it; `signal.reason` on abort, a permit being given back; {QueueFullError};
   *   {LimitStoreUnavailableError} as {@link decide} does; {InvalidOptionError}; {LimiterClosedError}
   */
  acquire(cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(options?: AcquireOptions): Promise<Admission>
  acquire(first?: number | AcquireOptions, second?: AcquireOptions): Promise<Admission> {
    const options = optionsOf(first, second)
    const wrong = costTwice(first, options)
    if (wrong !== undefined) return Promise.reject(wrong)
    return this.#shared.acquire(this.#shared.key, costOf(first, options), options)
  }

  /**
   * Gives back what was granted but not used; while Redis is away, once it is back.
   *
   * @throws (by rejection) {InvalidOptionError} for more than this process was granted and more than can pass at once
   */
  async refund(cost = 1): Promise<void> {
    await this.#shared.refund(this.#shared.key, cost)
  }

  stats(): RedisRateStats {
    return this.#shared.stats()
  }

  /**
   * Ends all waits with {@link LimiterClosedError}, gives back what was reserved for them, and refuses what asks for permits from now on.
   * Permits can still be refunded.
   */
  close(): Promise<void> {
    return this.#shared.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

describeStats<RedisRateStats>(RedisRate.prototype, REDIS_RATE_STATS_KINDS)
