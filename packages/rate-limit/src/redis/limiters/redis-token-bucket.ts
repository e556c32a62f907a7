import { checkNonNegative } from '@millrace/kit'
import { systemClock } from '../../clock.ts'
import { NO_WAIT } from '../../limiter/no-wait.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import type { AcquireOptions, Admission } from '../../wait/acquire-options.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import { LeasedTokens } from './leased-tokens.ts'
import {
  SharedBuckets,
  type SharedBucketsOptions,
  type SharedBucketsStats,
} from './shared-buckets.ts'

const modes: readonly OutageMode[] = ['closed', 'open', 'local', 'lease']

export interface RedisTokenBucketOptions extends SharedBucketsOptions {
  /**
   * Reserves tokens for so many ms ahead in one call, as far as they are in demand; default 0: one call per permit.
   * At rates where a process' share would be fewer than five tokens it reserves one by one all the same.
   */
  readonly leaseTtl?: number | undefined
  /** What happens while Redis is not available; default `'local'`. */
  readonly whenDown?: OutageMode | undefined
}

export interface RedisTokenBucketStats extends SharedBucketsStats {
  /** Tokens reserved ahead and not used yet. */
  leased: number
}

/**
 * A token bucket that processes share through Redis.
 *
 * One script reads the server's clock, reserves the next slot and answers with the time until it: the caller sleeps here,
 * first come, first served over all processes, without polling. Slots are given back on abort. With `leaseTtl` a process
 * reserves many slots at once and hands them out itself: grants never exceed the rate over the length of a lease, and
 * the burst grows by the leases that are not used up.
 */
export class RedisTokenBucket {
  readonly #buckets: SharedBuckets<OutageMode>
  readonly #key: string
  readonly #leased: LeasedTokens | undefined

  constructor({ leaseTtl = 0, whenDown = 'local', ...options }: RedisTokenBucketOptions) {
    const { clock = systemClock, prefix = 'millrace:limit', id } = options
    const buckets = new SharedBuckets(options, { clock, whenDown, modes })
    this.#buckets = buckets
    this.#key = `${prefix}:{${id}}`
    if (checkNonNegative('leaseTtl', leaseTtl) === 0) return
    this.#leased = new LeasedTokens({
      name: buckets.name,
      clock,
      interval: 1_000 / buckets.rate,
      duration: leaseTtl,
      processes: () => buckets.peers.count,
      reserve: count => this.#reserveAhead(count),
      refund: count => buckets.giveBack(this.#key, count),
    })
  }

  get name(): string {
    return this.#buckets.name
  }

  /**
   * Spends `cost` if that is possible now.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} where `whenDown` is `'closed'`, or if `cost` is more than a local share
   *   holds; {InvalidOptionError} if it is more than the bucket can ever hold
   */
  async tryAcquire(cost = 1): Promise<boolean> {
    return (await this.decide(cost)).allowed
  }

  /** {@link tryAcquire} with all that a response header or a log line needs. */
  async decide(cost = 1): Promise<Decision> {
    if (this.#takeLeased(cost)) {
      const { burst, rate } = this.#buckets
      const remaining = Math.max(0, this.#leased!.left)
      const resetAfter = Math.max(0, ((burst - remaining) * 1_000) / rate)
      return { allowed: true, limit: burst, remaining, resetAfter, retryAfter: 0 }
    }
    return this.#buckets.decide(this.#key, cost)
  }

  /**
   * Spends `cost`, after waiting for its turn if need be.
   *
   * @throws (by rejection) {RateLimitedError} at once, if the wait is known to exceed `timeout` or `maxWait`;
   *   `signal.reason` on abort, the token being given back; {LimitStoreUnavailableError} as {@link tryAcquire} does;
   *   {InvalidOptionError}; {LimiterClosedError}
   */
  acquire(cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(options?: AcquireOptions): Promise<Admission>
  acquire(first?: number | AcquireOptions, second?: AcquireOptions): Promise<Admission> {
    const options = typeof first === 'object' ? first : second
    const cost = (typeof first === 'object' ? undefined : first) ?? options?.cost ?? 1
    if (!this.#buckets.closed && !options?.signal?.aborted && this.#takeLeased(cost)) {
      return NO_WAIT
    }
    const leased = this.#leased
    return this.#buckets.acquire(
      this.#key,
      cost,
      options,
      leased?.worthwhile ? () => leased.acquire(cost, options) : undefined,
    )
  }

  /**
   * Gives back what was granted but not used; while Redis is away, once it is back.
   *
   * @throws (by rejection) {InvalidOptionError} for more than was granted
   */
  async refund(cost = 1): Promise<void> {
    await this.#buckets.refund(this.#key, cost)
  }

  stats(): RedisTokenBucketStats {
    const stats = this.#buckets.stats()
    const { left = 0, waiting = 0, aborts = 0, refused = 0 } = this.#leased ?? {}
    stats.refused += refused
    stats.waiting += waiting
    stats.aborts += aborts
    return { ...stats, leased: left }
  }

  /** Rejects all who wait with {@link LimiterClosedError} and gives back what this process had reserved. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#buckets.close()
    await this.#leased?.close()
  }

  #takeLeased(cost: number): boolean {
    if (!this.#buckets.fits(cost) || !this.#leased?.tryTake(cost)) return false
    this.#buckets.count(cost)
    return true
  }

  async #reserveAhead(count: number): Promise<number> {
    const { store, peers, outage } = this.#buckets
    try {
      await outage.settle(this.#key)
      const keys = [this.#key, peers.key] as const
      const late = () => this.#buckets.returnLate(this.#key, count)
      const { first, processes } = await store.lease(keys, count, peers.identity, late)
      peers.note(processes)
      return first
    } catch (error) {
      if (outage.mode !== 'lease') this.#leased?.drop()
      throw error
    }
  }
}
