import { systemClock } from '../clock.ts'
import {
  type LimiterOptions,
  type LimiterStats,
  MeteredLimiter,
} from '../limiter/metered-limiter.ts'
import { WindowCounter } from '../meter/window-counter.ts'
import { WindowLog } from '../meter/window-log.ts'
import { oneOf } from '../option-checks.ts'

export interface SlidingWindowOptions extends LimiterOptions {
  /** The most permits in any `window`; a positive integer. */
  limit: number
  /** Its length in ms. */
  window: number
  /**
   * - `'log'` (default): exact; 8 bytes per permit of `limit`; fractional costs are rounded up
   * - `'counter'`: two numbers, exact only for evenly spread permits
   */
  algorithm?: 'log' | 'counter' | undefined
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
  readonly #window: number

  constructor(options: SlidingWindowOptions) {
    const {
      limit,
      window,
      algorithm = 'log',
      name = 'sliding-window',
      clock = systemClock,
    } = options
    oneOf('algorithm', algorithm, ['log', 'counter'])
    super(
      algorithm === 'log'
        ? new WindowLog(limit, window)
        : new WindowCounter(limit, window, clock.now()),
      {
        ...options,
        name,
        clock,
      },
    )
    this.#window = window
  }

  stats(): SlidingWindowStats {
    return { ...this.limiterStats(), limit: this.meter.maxCost, window: this.#window }
  }
}
