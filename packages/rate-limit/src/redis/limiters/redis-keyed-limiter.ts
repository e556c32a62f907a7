import { systemClock } from '../../clock.ts'
import { InvalidOptionError } from '../../errors.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import type { AcquireOptions, Admission } from '../../wait/acquire-options.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import {
  SharedBuckets,
  type SharedBucketsOptions,
  type SharedBucketsStats,
} from './shared-buckets.ts'

/** No process holds tokens of a key ahead, so that there is no `'lease'`. */
type KeyedOutageMode = Exclude<OutageMode, 'lease'>

const modes: readonly KeyedOutageMode[] = ['closed', 'open', 'local']

export interface RedisKeyedLimiterOptions extends SharedBucketsOptions {
  /**
   * What happens while Redis is not available; default `'local'`, a share of each key's rate. What passed is debited from
   * each key when Redis is back.
   */
  readonly whenDown?: KeyedOutageMode | undefined
  /**
   * The most keys kept in this process while Redis is not available; default 100,000. Beyond it the debt of the key that
   * has owed for longest is forgiven.
   */
  readonly maxKeys?: number | undefined
}

export type RedisKeyedLimiterStats = SharedBucketsStats

/**
 * A token bucket per key that processes share through Redis: one round trip per call, and no memory for full buckets.
 * `rate` and `burst` are those of each key.
 */
export class RedisKeyedLimiter {
  readonly #buckets: SharedBuckets<KeyedOutageMode>
  readonly #prefix: string

  constructor({ whenDown = 'local', maxKeys, ...options }: RedisKeyedLimiterOptions) {
    const { clock = systemClock, prefix = 'millrace:limit', id } = options
    this.#buckets = new SharedBuckets(options, { clock, whenDown, modes, maxKeys })
    this.#prefix = `${prefix}:${id}:`
  }

  get name(): string {
    return this.#buckets.name
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
   *   holds; {InvalidOptionError} if it is more than a bucket can ever hold
   */
  async decide(key: string, cost = 1): Promise<Decision> {
    return this.#buckets.decide(this.#keyOf(key), cost)
  }

  /**
   * Spends `cost` of the key, after waiting for its turn among the callers with the same key in all processes.
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
    const options = typeof first === 'object' ? first : second
    const cost = (typeof first === 'object' ? undefined : first) ?? options?.cost ?? 1
    return this.#buckets.acquire(this.#keyOf(key), cost, options)
  }

  /**
   * Gives back what was granted to the key but not used; while Redis is away, once it is back.
   *
   * @throws (by rejection) {InvalidOptionError} for more than was granted
   */
  async refund(key: string, cost = 1): Promise<void> {
    await this.#buckets.refund(this.#keyOf(key), cost)
  }

  stats(): RedisKeyedLimiterStats {
    return this.#buckets.stats()
  }

  /** Rejects all who wait with {@link LimiterClosedError}; what they had reserved is given back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#buckets.close()
  }

  /** The key's own part is in braces, so that a Cluster spreads keys over its nodes. */
  #keyOf(key: string): string {
    if (typeof key !== 'string') throw new InvalidOptionError('key', 'a string', key)
    return `${this.#prefix}{${key}}`
  }
}
