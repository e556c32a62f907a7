import { checkOptions, describeStats, type OptionNames } from '@millrace/kit'
import type { Decision } from '../../limiter/rate-limiter.ts'
import {
  type AcquireOptions,
  type Admission,
  costOf,
  optionsOf,
} from '../../wait/acquire-options.ts'
import type { WaitOrder } from '../../wait/wait-order.ts'
import { SharedWindows } from './shared-windows.ts'
import {
  SHARED_WINDOWS_OPTIONS,
  SHARED_WINDOWS_STATS_KINDS,
  type SharedWindowsOptions,
  type SharedWindowsStats,
} from './window-options.ts'

export interface RedisSlidingWindowOptions extends SharedWindowsOptions {
  /** In which order calls of this process that wait are served. Default: a new {@link PriorityOrder} */
  readonly order?: WaitOrder | undefined
}

const NAMES: OptionNames<RedisSlidingWindowOptions> = { ...SHARED_WINDOWS_OPTIONS, order: true }

export type RedisSlidingWindowStats = SharedWindowsStats

/**
 * At most `limit` permits of all processes in any window: an exact log in Redis. Calls that wait do so in order within
 * a process; between processes the one that asks first when a permit is free.
 */
export class RedisSlidingWindow {
  readonly #windows: SharedWindows
  readonly #key: string
  /** The most permits in one window, and its length in ms. */
  readonly limit: number
  readonly window: number

  constructor(options: RedisSlidingWindowOptions) {
    const { order, ...shared } = checkOptions('', options, NAMES)
    this.#windows = new SharedWindows(shared, 1, order)
    this.#key = this.#windows.key
    this.limit = shared.limit
    this.window = shared.window
  }

  get name(): string {
    return this.#windows.limit.name
  }

  /** Spends `cost` if that is possible now. @throws (by rejection) as {@link decide} does */
  async tryAcquire(cost = 1): Promise<boolean> {
    return (await this.decide(cost)).allowed
  }

  /**
   * {@link tryAcquire} with all that a response header or a log line needs.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} where `whenDown` is `'closed'`, or if `cost` is more than a local share;
   *   {InvalidOptionError} if it is more than the limit; {LimiterClosedError}
   */
  decide(cost = 1): Promise<Decision> {
    return this.#windows.decide(this.#key, cost)
  }

  /**
   * Spends `cost`, after waiting for its turn if need be.
   *
   * @throws (by rejection) {AcquireTimeoutError}; `signal.reason` on abort; {QueueFullError}; {LimiterClosedError};
   *   {LimitStoreUnavailableError} as {@link decide} does; {InvalidOptionError}
   */
  acquire(cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(options?: AcquireOptions): Promise<Admission>
  acquire(first?: number | AcquireOptions, second?: AcquireOptions): Promise<Admission> {
    const options = optionsOf(first, second)
    return this.#windows.acquire(this.#key, costOf(first, options), options)
  }

  /**
   * Gives back what was granted to this process but not used; while Redis is away, once it is back.
   *
   * @throws (by rejection) {InvalidOptionError} for more than this process was granted and more than the limit
   */
  refund(cost = 1): Promise<void> {
    return this.#windows.refund(this.#key, cost)
  }

  stats(): RedisSlidingWindowStats {
    return this.#windows.stats()
  }

  /** Ends all waits with {@link LimiterClosedError} and refuses what asks for permits from now on. Permits can still be refunded. */
  async close(): Promise<void> {
    this.#windows.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

describeStats<SharedWindowsStats>(RedisSlidingWindow.prototype, SHARED_WINDOWS_STATS_KINDS)
