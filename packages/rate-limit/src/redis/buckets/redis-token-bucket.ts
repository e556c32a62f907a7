import { checkNonNegative, checkOptions, describeStats, type OptionNames } from '@millrace/kit'
import { NO_WAIT } from '../../limiter/no-wait.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import {
  type AcquireOptions,
  type Admission,
  costOf,
  costTwice,
  optionsOf,
} from '../../wait/acquire-options.ts'
import { RedisRate } from '../limit/redis-rate.ts'
import { REDIS_RATE_STATS_KINDS, type RedisRateStats } from '../limit/shared-rate.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import { SHARED_BUCKETS_OPTIONS, type SharedBucketsOptions } from './bucket-options.ts'
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

export interface RedisTokenBucketStats extends RedisRateStats {
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
export class RedisTokenBucket extends RedisRate {
  /** Tokens per second over all processes. */
  readonly rate: number
  /** The most tokens saved up. */
  readonly burst: number
  readonly #buckets: SharedBuckets<OutageMode>
  readonly #leased: ReservedTokens | undefined

  constructor(options: RedisTokenBucketOptions) {
    const { leaseTtl = 0, whenDown = 'local', ...shared } = checkOptions('', options, NAMES)
    const ahead = checkNonNegative('leaseTtl', leaseTtl)
    const buckets = new SharedBuckets(shared, { whenDown, modes: MODES, maxKeys: 1, ahead })
    super(buckets)
    this.#buckets = buckets
    this.rate = buckets.rate
    this.burst = buckets.burst
    const tokens = buckets.bucket(buckets.key)
    this.#leased = ahead > 0 ? tokens : undefined
  }

  override async decide(cost = 1): Promise<Decision> {
    if (!this.#takeLeased(cost)) return super.decide(cost)
    const { burst, rate } = this
    const remaining = Math.max(0, this.#leased!.left)
    const resetAfter = Math.max(0, ((burst - remaining) * 1_000) / rate)
    return { allowed: true, limit: burst, remaining, resetAfter, retryAfter: 0 }
  }

  override acquire(cost: number, options?: AcquireOptions): Promise<Admission>
  override acquire(options?: AcquireOptions): Promise<Admission>
  override acquire(first?: number | AcquireOptions, second?: AcquireOptions): Promise<Admission> {
    const options = optionsOf(first, second)
    const wrong = costTwice(first, options)
    if (wrong !== undefined) return Promise.reject(wrong)
    const cost = costOf(first, options)
    if (!options?.signal?.aborted && this.#takeLeased(cost)) return NO_WAIT
    return this.#buckets.acquire(this.#buckets.key, cost, options)
  }

  override stats(): RedisTokenBucketStats {
    return { ...super.stats(), leased: this.#leased?.left ?? 0 }
  }

  #takeLeased(cost: number): boolean {
    const buckets = this.#buckets
    if (buckets.closed || !buckets.fits(cost) || !this.#leased?.tryTake(cost)) return false
    buckets.count(cost)
    return true
  }
}

describeStats<RedisTokenBucketStats>(RedisTokenBucket.prototype, {
  ...REDIS_RATE_STATS_KINDS,
  leased: 'gauge',
})
