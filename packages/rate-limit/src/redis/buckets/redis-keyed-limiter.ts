import { checkOptions, checkRange, describeStats, type OptionNames } from '@millrace/kit'
import { LONGEST } from '../../limiter/longest.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import {
  type AcquireOptions,
  type Admission,
  costOf,
  optionsOf,
} from '../../wait/acquire-options.ts'
import { keyPart } from '../limit/key-part.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import {
  SHARED_BUCKETS_OPTIONS,
  SHARED_BUCKETS_STATS_KINDS,
  type SharedBucketsOptions,
  type SharedBucketsStats,
} from './bucket-options.ts'
import { SharedBuckets } from './shared-buckets.ts'

/** A limiter by key holds no tokens ahead that could be spent: it has no mode `'lease'`. */
export type KeyedOutageMode = Exclude<OutageMode, 'lease'>

const MODES: readonly KeyedOutageMode[] = ['closed', 'open', 'local']

export interface RedisKeyedLimiterOptions extends SharedBucketsOptions {
  /**
   * What happens while Redis is not available: `'local'` is a share of each key's rate. What passed is debited from each key
   * when Redis is back. Default: `'local'`
   */
  readonly whenDown?: KeyedOutageMode | undefined
  /**
   * The most keys kept in this process for an outage. Beyond it the debt of the key that has owed for longest is forgiven.
   * Default: 100,000
   */
  readonly maxKeys?: number | undefined
}

const NAMES: OptionNames<RedisKeyedLimiterOptions> = {
  ...SHARED_BUCKETS_OPTIONS,
  whenDown: true,
  maxKeys: true,
}

export type RedisKeyedLimiterStats = SharedBucketsStats

/**
 * A token bucket per key that processes share through Redis: one round trip per call, and no memory for full buckets.
 * `rate` and `burst` are those of each key.
 */
export class RedisKeyedLimiter {
  /** Tells wrappers that calls name a key. */
  readonly keyed = true
  readonly #buckets: SharedBuckets<KeyedOutageMode>
  readonly #prefix: string

  constructor(options: RedisKeyedLimiterOptions) {
    const { whenDown = 'local', maxKeys = 100_000, ...shared } = checkOptions('', options, NAMES)
    this.#buckets = new SharedBuckets(shared, { whenDown, modes: MODES, maxKeys, ahead: 0 })
    const { prefix, id } = this.#buckets.limit
    this.#prefix = `${prefix}:${id}:`
  }

  get name(): string {
    return this.#buckets.limit.name
  }

  /** Tokens per second and key. */
  get rate(): number {
    return this.#buckets.rate
  }

  /** The most tokens of a key. */
  get burst(): number {
    return this.#buckets.burst
  }

  /** Spends `cost` of the key if that is possible now. */
  async tryAcquire(key: string, cost = 1): Promise<boolean> {
    return (await this.decide(key, cost)).allowed
  }

  /**
   * {@link tryAcquire} with all that a response header or a log line needs.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} where `whenDown` is `'closed'`, or if `cost` is more than a local share
   *   holds; {InvalidOptionError} if it is more than a bucket can ever hold; {LimiterClosedError}
   */
  async decide(key: string, cost = 1): Promise<Decision> {
    return this.#buckets.decide(this.#keyOf(key), cost)
  }

  /**
   * Spends `cost` of the key, after waiting for its turn among the calls with the same key in all processes.
   *
   * @throws (by rejection) as {@link RedisTokenBucket.acquire} does
   */
  acquire(key: string, cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(key: string, options?: AcquireOptions): Promise<Admission>
  async acquire(
    key: string,
    first?: number | AcquireOptions,
    second?: AcquireOptions,
  ): Promise<Admission> {
    const options = optionsOf(first, second)
    return this.#buckets.acquire(this.#keyOf(key), costOf(first, options), options)
  }

  /**
   * Gives back what was granted to the key but not used, by whichever process; while Redis is away, once it is back.
   *
   * @throws (by rejection) {InvalidOptionError} for more than this process was granted and more than the burst
   */
  async refund(key: string, cost = 1): Promise<void> {
    await this.#buckets.refund(this.#keyOf(key), cost)
  }

  /**
   * The key's bucket as it is, without spending: `allowed` says whether one token is there.
   *
   * @throws (by rejection) {LimitStoreUnavailableError}; {LimiterClosedError}
   */
  async get(key: string): Promise<Decision> {
    return this.#buckets.get(this.#keyOf(key))
  }

  /**
   * Spends `cost` tokens of the key as a penalty, also such as are not there yet: as many as come in 1e12 ms at most.
   *
   * @throws (by rejection) {LimitStoreUnavailableError}; {InvalidOptionError}
   */
  async penalize(key: string, cost = 1): Promise<void> {
    const { rate } = this.#buckets
    checkRange('cost', cost, 0, (LONGEST * rate) / 1_000)
    await this.#buckets.penalize(this.#keyOf(key), cost)
  }

  /**
   * Empties the key's bucket and has its next token come after `ms`, at most 1e12, in all processes; 0 changes nothing. Calls that wait in
   * this process come after it; those of others too, but for tokens reserved before, which come within a second.
   *
   * @throws (by rejection) {LimitStoreUnavailableError}; {InvalidOptionError}
   */
  async block(key: string, ms: number): Promise<void> {
    await this.#buckets.block(this.#keyOf(key), checkRange('ms', ms, 0, LONGEST))
  }

  /** Fills the key's bucket. @throws (by rejection) {LimitStoreUnavailableError} */
  async reset(key: string): Promise<void> {
    await this.#buckets.reset(this.#keyOf(key))
  }

  stats(): RedisKeyedLimiterStats {
    return this.#buckets.stats()
  }

  /** As {@link RedisTokenBucket.close}. */
  close(): Promise<void> {
    return this.#buckets.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #keyOf(key: string): string {
    return this.#prefix + keyPart(key)
  }
}

describeStats<SharedBucketsStats>(RedisKeyedLimiter.prototype, SHARED_BUCKETS_STATS_KINDS)
