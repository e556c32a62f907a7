import { checkRange, describeStats } from '@millrace/kit'
import { LONGEST } from '../../limiter/longest.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import {
  type AcquireOptions,
  type Admission,
  costOf,
  costTwice,
  optionsOf,
} from '../../wait/acquire-options.ts'
import { REDIS_RATE_STATS_KINDS, type RedisRateStats, type SharedRate } from './shared-rate.ts'

/** A limit on a rate for each key that processes share through Redis. */
export abstract class RedisKeyedRate {
  /** Tells wrappers that calls name a key. */
  readonly keyed = true
  readonly #shared: SharedRate

  /** @internal */
  protected constructor(shared: SharedRate) {
    this.#shared = shared
  }

  get name(): string {
    return this.#shared.limit.name
  }

  /** Spends `cost` of the key if that is possible now. @throws (by rejection) as {@link decide} does */
  async tryAcquire(key: string, cost = 1): Promise<boolean> {
    return (await this.decide(key, cost)).allowed
  }

  /**
   * {@link tryAcquire} with all that a response header or a log line needs.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} where `whenDown` is `'closed'`, or if `cost` is more than a local share
   *   holds; {InvalidOptionError} if it is more than can ever pass; {LimiterClosedError}
   */
  async decide(key: string, cost = 1): Promise<Decision> {
    return this.#shared.decide(this.#shared.keyOf(key), cost)
  }

  /**
   * Spends `cost` of the key, after waiting for its turn among the calls with the same key.
   *
   * @throws (by rejection) as {@link RedisRate.acquire} does
   */
  acquire(key: string, cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(key: string, options?: AcquireOptions): Promise<Admission>
  async acquire(
    key: string,
    first?: number | AcquireOptions,
    second?: AcquireOptions,
  ): Promise<Admission> {
    const options = optionsOf(first, second)
    const wrong = costTwice(first, options)
    if (wrong !== undefined) return Promise.reject(wrong)
    return this.#shared.acquire(this.#shared.keyOf(key), costOf(first, options), options)
  }

  /**
   * Gives back what was granted to the key but not used; while Redis is away, once it is back.
   *
   * @throws (by rejection) {InvalidOptionError} for more than this process was granted and more than can pass at once
   */
  async refund(key: string, cost = 1): Promise<void> {
    await this.#shared.refund(this.#shared.keyOf(key), cost)
  }

  /**
   * The key's limit as it is, without spending: `allowed` says whether one permit is there.
   *
   * @throws (by rejection) {LimitStoreUnavailableError}; {LimiterClosedError}
   */
  async get(key: string): Promise<Decision> {
    return this.#shared.get(this.#shared.keyOf(key))
  }

  /**
   * Spends `cost` permits of the key as a penalty, also such as are not there yet: of a bucket as many as come in 1e12 ms at most, of a
   * window as {@link SlidingWindow.penalize} does.
   *
   * @throws (by rejection) {LimitStoreUnavailableError}; {InvalidOptionError}
   */
  async penalize(key: string, cost = 1): Promise<void> {
    await this.#shared.penalize(this.#shared.keyOf(key), cost)
  }

  /**
   * Lets nothing of the key pass for `ms`, at most 1e12, in all processes; 0 changes nothing. A bucket is emptied, too.
   *
   * @throws (by rejection) {LimitStoreUnavailableError}; {InvalidOptionError}
   */
  async block(key: string, ms: number): Promise<void> {
    await this.#shared.block(this.#shared.keyOf(key), checkRange('ms', ms, 0, LONGEST))
  }

  /** Forgets what was spent of the key, and its block. @throws (by rejection) {LimitStoreUnavailableError} */
  async reset(key: string): Promise<void> {
    await this.#shared.reset(this.#shared.keyOf(key))
  }

  stats(): RedisRateStats {
    return this.#shared.stats()
  }

  /** As {@link RedisRate.close}. */
  close(): Promise<void> {
    return this.#shared.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

describeStats<RedisRateStats>(RedisKeyedRate.prototype, REDIS_RATE_STATS_KINDS)
