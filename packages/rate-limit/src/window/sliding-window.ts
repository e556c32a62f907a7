import {
  checkClock,
  checkNonNegative,
  checkOneOf,
  checkOptions,
  checkRange,
  describeStats,
  gauges,
  monotonicClock,
  type OptionNames,
} from '@millrace/kit'
import { LIMITER_OPTIONS, type LimiterOptions } from '../limiter/limiter-options.ts'
import { LONGEST } from '../limiter/longest.ts'
import {
  LIMITER_STATS_KINDS,
  type LimiterStats,
  MeteredLimiter,
} from '../limiter/metered-limiter.ts'
import { WindowCounter } from '../meter/window-counter.ts'
import { WindowLog } from '../meter/window-log.ts'
import type { WindowMeter } from '../meter/window-meter.ts'

export interface SlidingWindowOptions extends LimiterOptions {
  /** The most permits in any `window`; a positive integer. */
  readonly limit: number
  /** Its length in ms, from 1e-3 to 1e15. */
  readonly window: number
  /**
   * - `'log'`: exact; 8 bytes per permit of `limit`; fractional costs are rounded up
   * - `'counter'`: two numbers, exact only for evenly spread permits
   *
   * Default: `'log'`
   */
  readonly algorithm?: 'log' | 'counter' | undefined
}

const NAMES: OptionNames<SlidingWindowOptions> = {
  ...LIMITER_OPTIONS,
  limit: true,
  window: true,
  algorithm: true,
}

export interface SlidingWindowStats extends LimiterStats {
  limit: number
  /** In ms. */
  window: number
}

/**
 * At most `limit` permits in any window of the given length, without the double burst that fixed windows let through at
 * their edges. Where permits may be spread evenly, a {@link TokenBucket} is smaller and faster.
 */
export class SlidingWindow extends MeteredLimiter {
  /** Its length in ms. */
  readonly window: number
  readonly #log: WindowMeter

  constructor(options: SlidingWindowOptions) {
    checkOptions('', options, NAMES)
    const {
      limit,
      window,
      algorithm = 'log',
      name = 'sliding-window',
      clock = monotonicClock,
    } = options
    checkOneOf('algorithm', algorithm, ['log', 'counter'])
    const log =
      algorithm === 'log'
        ? new WindowLog(limit, window)
        : new WindowCounter(limit, window, checkClock('clock', clock).now())
    super(log, { ...options, name, clock })
    this.#log = log
    this.window = window
  }

  /** The most permits in one window. */
  get limit(): number {
    return this.meter.maxCost
  }

  /**
   * Spends `cost`, rounded up, as a penalty, such as for a failed login: also what is not there, so that the window stays full for
   * longer. At most the limit, which leaves nothing for a whole window. What waits, waits on.
   *
   * @throws {InvalidOptionError} for what is no number from 0 on
   */
  penalize(cost = 1): void {
    this.#log.take(
      Math.min(Math.ceil(checkNonNegative('cost', cost)), this.limit),
      this.clock.now(),
    )
  }

  /**
   * Lets nothing pass for `ms`, at most 1e12, as a peer's `Retry-After` asks; 0 changes nothing. What waits, waits on.
   *
   * @throws {InvalidOptionError}
   */
  pause(ms: number): void {
    this.#log.pause(checkRange('ms', ms, 0, LONGEST), this.clock.now())
  }

  /** Forgets all that was spent, and a pause; what waits is served at once. */
  reset(): void {
    this.#log.clear()
    this.relaxed()
  }

  stats(): SlidingWindowStats {
    return { ...this.limiterStats(), limit: this.limit, window: this.window }
  }
}

describeStats<SlidingWindowStats>(SlidingWindow.prototype, {
  ...LIMITER_STATS_KINDS,
  ...gauges('limit', 'window'),
})
