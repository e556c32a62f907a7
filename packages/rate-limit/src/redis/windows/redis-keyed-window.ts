import {
  checkNonNegative,
  checkOptions,
  checkRange,
  describeStats,
  type OptionNames,
} from '@millrace/kit'
import { LONGEST } from '../../limiter/longest.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import {
  type AcquireOptions,
  type Admission,
  costOf,
  optionsOf,
} from '../../wait/acquire-options.ts'
import { keyPart } from '../limit/key-part.ts'
import { SharedWindows } from './shared-windows.ts'
import {
  SHARED_WINDOWS_OPTIONS,
  SHARED_WINDOWS_STATS_KINDS,
  type SharedWindowsOptions,
  type SharedWindowsStats,
} from './window-options.ts'

export interface RedisKeyedWindowOptions extends SharedWindowsOptions {
  /** The most keys that are remembered in this process, for an outage. Default: 10,000 */
  readonly maxKeys?: number | undefined
}

const NAMES: OptionNames<RedisKeyedWindowOptions> = { ...SHARED_WINDOWS_OPTIONS, maxKeys: true }

/** A sliding window per key that processes share through Redis. `limit` and `window` are those of each key. */
export class RedisKeyedWindow {
  /** Tells wrappers that calls name a key. */
  readonly keyed = true
  readonly #windows: SharedWindows
  readonly #prefix: string
  /** The most permits of a key in a window, and its length in ms. */
  readonly limit: number
  readonly window: number

  constructor(options: RedisKeyedWindowOptions) {
    const { maxKeys = 10_000, ...shared } = checkOptions('', options, NAMES)
    this.#windows = new SharedWindows(shared, maxKeys)
    this.limit = shared.limit
    this.window = shared.window
    const { prefix, id } = this.#windows.limit
    this.#prefix = `${prefix}:${id}:`
  }

  get name(): string {
    return this.#windows.limit.name
  }

  /** Spends `cost` of the key if that is possible now. @throws (by rejection) as {@link decide} does */
  async tryAcquire(key: string, cost = 1): Promise<boolean> {
    return (await this.decide(key, cost)).allowed
  }

  /**
   * {@link tryAcquire} with all that a response header or a log line needs.
   *
   * @throws (by rejection) as {@link RedisSlidingWindow.decide} does
   */
  async decide(key: string, cost = 1): Promise<Decision> {
    return this.#windows.decide(this.#keyOf(key), cost)
  }

  /**
   * Spends `cost` of the key, after waiting for its turn among the calls with the same key in this process.
   *
   * @throws (by rejection) as {@link RedisSlidingWindow.acquire} does
   */
  acquire(key: string, cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(key: string, options?: AcquireOptions): Promise<Admission>
  async acquire(
    key: string,
    first?: number | AcquireOptions,
    second?: AcquireOptions,
  ): Promise<Admission> {
    const options = optionsOf(first, second)
    return this.#windows.acquire(this.#keyOf(key), costOf(first, options), options)
  }

  /**
   * Gives back what was granted to the key by this process but not used; while Redis is away, once it is back.
   *
   * @throws (by rejection) {InvalidOptionError} for more than this process was granted and more than the limit
   */
  async refund(key: string, cost = 1): Promise<void> {
    await this.#windows.refund(this.#keyOf(key), cost)
  }

  /**
   * Spends `cost` permits of the key as a penalty, also such as are not there: see {@link SlidingWindow.penalize}.
   *
   * @throws (by rejection) {LimitStoreUnavailableError}; {InvalidOptionError}
   */
  async penalize(key: string, cost = 1): Promise<void> {
    await this.#windows.penalize(this.#keyOf(key), checkNonNegative('cost', cost))
  }

  /**
   * Lets nothing of the key pass for `ms`, at most 1e12, in all processes; while Redis is away in those that have heard of it. 0 changes
   * nothing.
   *
   * @throws (by rejection) {LimitStoreUnavailableError}; {InvalidOptionError}
   */
  async block(key: string, ms: number): Promise<void> {
    await this.#windows.block(this.#keyOf(key), checkRange('ms', ms, 0, LONGEST))
  }

  /** The key's window as it is, without spending. @throws (by rejection) {LimitStoreUnavailableError}; {LimiterClosedError} */
  async get(key: string): Promise<Decision> {
    const decision = await this.#windows.get(this.#keyOf(key))
    return { ...decision, allowed: decision.remaining >= 1 }
  }

  /** Empties the key's window. @throws (by rejection) {LimitStoreUnavailableError} */
  async reset(key: string): Promise<void> {
    await this.#windows.reset(this.#keyOf(key))
  }

  stats(): SharedWindowsStats {
    return this.#windows.stats()
  }

  /** As {@link RedisSlidingWindow.close}. */
  async close(): Promise<void> {
    this.#windows.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #keyOf(key: string): string {
    return `${this.#prefix}${keyPart(key)}:window`
  }
}

describeStats<SharedWindowsStats>(RedisKeyedWindow.prototype, SHARED_WINDOWS_STATS_KINDS)
