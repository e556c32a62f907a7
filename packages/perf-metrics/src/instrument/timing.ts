import {
  counters,
  describeStats,
  gauges,
  isGenerator,
  isThenable,
  watchGenerator,
} from '@millrace/kit'
import { type Distribution, quantile } from '../store/distribution.ts'
import type { Counter } from './counter.ts'
import type { Histogram } from './histogram.ts'

/** A running measurement. Ends once: by `close`, by `fail`, or by leaving the scope of a `using` declaration. */
export interface TimingSpan {
  /** Records a success. Returns the duration in milliseconds; 0 if the measurement had ended already. */
  close(): number
  /** Records a failure. Returns the duration in milliseconds; 0 if the measurement had ended already. */
  fail(): number
  /** As {@link close}. `using` cannot tell how its scope was left: call {@link fail} where that matters, or `time`. */
  [Symbol.dispose](): void
}

/**
 * How long something takes, and how often it fails. Exported as a histogram of seconds of all calls and a counter
 * of failures beside it (`db_load_seconds`, `db_load_failures_total`).
 */
export interface Timing {
  /** Starts a measurement: `using _ = load.start()`. */
  start(): TimingSpan
  /**
   * Measures one call, synchronous or not, and passes its outcome on; where that is a generator, until it is done. A throw or rejection
   * counts as a failure.
   */
  time<T>(fn: () => T): T
  /** Records a duration in milliseconds measured elsewhere. */
  record(milliseconds: number, failed?: boolean): void
  /** Count, total, mean, extremes and percentiles of the durations so far. All times in milliseconds. */
  stats(): TimingStats
  /** The durations, in seconds. */
  readonly histogram: Histogram
  /** Calls that failed. */
  readonly failures: Counter
}

/** Times in milliseconds; `NaN` where nothing was recorded. */
export interface TimingStats {
  count: number
  successes: number
  failures: number
  total: number
  mean: number
  min: number
  max: number
  p50: number
  p90: number
  p95: number
  p99: number
  p999: number
}

export class TimingSeries implements Timing {
  readonly histogram: Histogram
  readonly failures: Counter
  readonly #now: () => number

  constructor(histogram: Histogram, failures: Counter, now: () => number) {
    this.histogram = histogram
    this.failures = failures
    this.#now = now
  }

  start(): TimingSpan {
    return new RunningSpan(this, this.#now)
  }

  time<T>(fn: () => T): T {
    const start = this.#now()
    let result: T
    try {
      result = fn()
    } catch (error) {
      this.record(this.#now() - start, true)
      throw error
    }
    if (isThenable(result)) return this.#settle(result, start) as T
    return this.#done(result, start)
  }

  /** The work is over, unless all that was done so far is to make a generator. */
  #done<T>(result: T, start: number): T {
    if (isGenerator(result)) {
      return watchGenerator(result, {
        step: run => run(),
        done: () => this.record(this.#now() - start),
        failed: () => this.record(this.#now() - start, true),
      })
    }
    this.record(this.#now() - start)
    return result
  }

  async #settle<T>(promise: PromiseLike<T>, start: number): Promise<T> {
    let result: T
    try {
      result = await promise
    } catch (error) {
      this.record(this.#now() - start, true)
      throw error
    }
    return this.#done(result, start)
  }

  record(milliseconds: number, failed = false): void {
    this.histogram.observe(inSeconds(milliseconds))
    if (failed) this.failures.inc()
  }

  stats(): TimingStats {
    const durations = this.histogram.distribution()
    return timingStats(durations, this.failures.value)
  }
}

/** What is no number stays none. */
export function inSeconds(milliseconds: number): number {
  return typeof milliseconds === 'number' ? milliseconds / 1000 : NaN
}

function timingStats(seconds: Distribution, failures: number): TimingStats {
  const { count } = seconds
  return {
    count,
    successes: count - failures,
    failures,
    total: seconds.sum * 1000,
    mean: (seconds.sum * 1000) / count,
    min: seconds.min * 1000,
    max: seconds.max * 1000,
    p50: quantile(seconds, 0.5) * 1000,
    p90: quantile(seconds, 0.9) * 1000,
    p95: quantile(seconds, 0.95) * 1000,
    p99: quantile(seconds, 0.99) * 1000,
    p999: quantile(seconds, 0.999) * 1000,
  }
}

class RunningSpan implements TimingSpan {
  readonly #timing: Timing
  readonly #now: () => number
  readonly #start: number
  #running = true

  constructor(timing: Timing, now: () => number) {
    this.#timing = timing
    this.#now = now
    this.#start = now()
  }

  close(): number {
    return this.#end(false)
  }

  fail(): number {
    return this.#end(true)
  }

  [Symbol.dispose](): void {
    this.#end(false)
  }

  #end(failed: boolean): number {
    if (!this.#running) return 0
    this.#running = false
    const milliseconds = this.#now() - this.#start
    this.#timing.record(milliseconds, failed)
    return milliseconds
  }
}

describeStats<TimingStats>(TimingSeries.prototype, {
  ...gauges('mean', 'min', 'max', 'p50', 'p90', 'p95', 'p99', 'p999'),
  ...counters('count', 'successes', 'failures'),
  total: 'milliseconds',
})
