import { checkNonNegative, checkOptions, describeStats, type OptionNames } from '@millrace/kit'
import { NO_WAIT } from '../../limiter/no-wait.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import {
  type AcquireOptions,
  type Admission,
  costOf,
  optionsOf,
} from '../../wait/acquire-options.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import {
  SHARED_BUCKETS_OPTIONS,
  SHARED_BUCKETS_STATS_KINDS,
  type SharedBucketsOptions,
  type SharedBucketsStats,
} from './bucket-options.ts'
import type { ReservedTokens } from './reserved-tokens.ts'
import { SharedBuckets } from './shared-buckets.ts'

const MODES: readonly OutageMode[] = ['closed', 'open', 'local', 'lease']

export interface RedisTokenBucketOptions extends SharedBucketsOptions {
  /**
   * Reserves tokens for so many ms ahead in one call, as far as they are in demand; 0 for those alone that calls wait for. At
   * rates where a process' share would be fewer than five tokens it is 0 all the same. Default: 0
   */
  readonly leaseTtl?: number | undefined
  /** What happens while Redis is not available. Default: `'local'` */
  readonly whenDown?: OutageMode | undefined
}

const NAMES: OptionNames<RedisTokenBucketOptions> = {
  ...SHARED_BUCKETS_OPTIONS,
  leaseTtl: true,
  whenDown: true,
}

export interface RedisTokenBucketStats extends SharedBucketsStats {
  /** Tokens reserved ahead and not used yet. */
  leased: number
}

/**
 * A token bucket that processes share through Redis.
 *
 * One script reads the server's clock, reserves slots and answers with the time until them: calls sleep here, without polling.
 * Calls of one process are served in order; a process reserves for one second ahead at most, and for its first call in any
 * case. With `leaseTtl` it reserves ahead of demand and hands tokens out itself: grants never exceed the rate over the length
 * of a lease, and the burst grows by the leases that are not used up.
 */
export class RedisTokenBucket {
  readonly #buckets: SharedBuckets<OutageMode>
  readonly #key: string
  readonly #leased: ReservedTokens | undefined

  constructor(options: RedisTokenBucketOptions) {
    const { leaseTtl = 0, whenDown = 'local', ...shared } = checkOptions('', options, NAMES)
    const ahead = checkNonNegative('leaseTtl', leaseTtl)
    this.#buckets = new SharedBuckets(shared, { whenDown, modes: MODES, maxKeys: 1, ahead })
    this.#key = this.#buckets.limit.key
    const tokens = this.#buckets.bucket(this.#key)
    this.#leased = ahead > 0 ? tokens : undefined
  }

  get name(): string {
    return this.#buckets.limit.name
  }

  /** Tokens per second over all processes. */
  get rate(): number {
    return this.#buckets.rate
  }

  /** The most tokens saved up. */
  get burst(): number {
    return this.#buckets.burst
  }

  /**
   * Spends `cost` if that is possible now.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} where `whenDown` is `'closed'`, or if `cost` is more than a local share
   *   holds; {InvalidOptionError} if it is more than the bucket can ever hold; {LimiterClosedError}
   */
  async tryAcquire(cost = 1): Promise<boolean> {
    return (await this.decide(cost)).allowed
  }

  /** {@link tryAcquire} with all that a response header or a log line needs. */
  async decide(cost = 1): Promise<Decision> {
    if (!this.#takeLeased(cost)) return this.#buckets.decide(this.#key, cost)
    const { burst, rate } = this.#buckets
    const remaining = Math.max(0, this.#leased!.left)
    const resetAfter = Math.max(0, ((burst - remaining) * 1_000) / rate)
    return { allowed: true, limit: burst, remaining, resetAfter, retryAfter: 0 }
  }

  /**
   * Spends `cost`, after waiting for its turn if need be.
   *
   * @throws (by rejection) {RateLimitedError} at once, if the wait is known to exceed `timeout` or `maxWait`;
   *   {AcquireTimeoutError} if others make it exceed it; `signal.reason` on abort, the token being given back;
   *   {LimitStoreUnavailableError} as {@link tryAcquire} does; {InvalidOptionError}; {LimiterClosedError}
   */
  acquire(cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(options?: AcquireOptions): Promise<Admission>
  acquire(first?: number | AcquireOptions, second?: AcquireOptions): Promise<Admission> {
    const options = optionsOf(first, second)
    const cost = costOf(first, options)
    if (!options?.signal?.aborted && this.#takeLeased(cost)) return NO_WAIT
    return this.#buckets.acquire(this.#key, cost, options)
  }

  /**
   * Gives back what was granted but not used; while Redis is away, once it is back.
   *
   * @throws (by rejection) {InvalidOptionError} for more than this process was granted and more than the burst
   */
  async refund(cost = 1): Promise<void> {
    await this.#buckets.refund(this.#key, cost)
  }

  stats(): RedisTokenBucketStats {
    return { ...this.#buckets.stats(), leased: this.#leased?.left ?? 0 }
  }

  /**
   * Ends all waits with {@link LimiterClosedError}, gives back what was reserved for them, and refuses what asks for tokens from now on.
   * Tokens can still be refunded.
   */
  close(): Promise<void> {
    return this.#buckets.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #takeLeased(cost: number): boolean {
    const buckets = this.#buckets
    if (buckets.closed || !buckets.fits(cost) || !this.#leased?.tryTake(cost)) return false
    buckets.count(cost)
    return true
  }
}

describeStats<RedisTokenBucketStats>(RedisTokenBucket.prototype, {
  ...SHARED_BUCKETS_STATS_KINDS,
  leased: 'gauge',
})
