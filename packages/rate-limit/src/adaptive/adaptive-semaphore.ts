import {
  asGiven,
  type Clock,
  checkClock,
  checkFunction,
  checkInteger,
  checkMethods,
  checkPositive,
  counters,
  describeStats,
  isError,
  monotonicClock,
  type OptionRules,
  optional,
  type Resolved,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import { InvalidOptionError } from '../errors.ts'
import type { Permit } from '../semaphore/permit.ts'
import {
  SEMAPHORE_STATS_KINDS,
  Semaphore,
  type SemaphoreOptions,
  type SemaphoreStats,
} from '../semaphore/semaphore.ts'
import type { SemaphoreAcquireOptions } from '../semaphore/semaphore-acquire.ts'
import { AdaptivePermit, type Outcome } from './adaptive-permit.ts'
import { Gradient } from './gradient.ts'
import type { LimitAlgorithm } from './limit-algorithm.ts'

export interface AdaptiveSemaphoreOptions extends Omit<SemaphoreOptions, 'permits'> {
  /** How the limit follows the load: {@link Gradient} or {@link Aimd}. Default: a new {@link Gradient} */
  readonly algorithm?: LimitAlgorithm | undefined
  /** How many may be inside at first. Default: 20 */
  readonly initial?: number | undefined
  /** The fewest the limit can fall to. Default: 1 */
  readonly min?: number | undefined
  /** The most it can rise to. Default: 200 */
  readonly max?: number | undefined
  /** The shortest time over which calls are summed up, in ms. Default: 1,000 */
  readonly window?: number | undefined
  /** The fewest calls that are. Default: 10 */
  readonly minSamples?: number | undefined
  /**
   * What a failed call of {@link AdaptiveSemaphore.run} says about the load. Default: errors named `TimeoutError` are
   * `'dropped'`, all others `'ignored'`, as they may have failed before they reached the peer.
   */
  readonly classify?: ((error: unknown) => Outcome) | undefined
}

type Settings = Resolved<AdaptiveSemaphoreOptions, 'algorithm' | 'maxQueue' | 'order'>

const OPTIONS: OptionRules<AdaptiveSemaphoreOptions, Settings> = {
  algorithm: optional(checkMethods<LimitAlgorithm>, 'a LimitAlgorithm', ['update']),
  initial: withDefault(20, checkInteger, 1),
  min: withDefault(1, checkInteger, 1),
  max: withDefault(200, checkInteger, 1),
  window: withDefault(1_000, checkPositive),
  minSamples: withDefault(10, checkInteger, 1),
  classify: withDefault(defaultOutcome, checkFunction<Settings['classify']>),
  // What follows is checked by the semaphore as well.
  maxQueue: asGiven,
  order: asGiven,
  name: withDefault('adaptive-semaphore', asGiven<string>),
  clock: withDefault(monotonicClock, checkClock<Clock>),
}

export interface AdaptiveSemaphoreStats extends SemaphoreStats {
  /** The limit before rounding. */
  limit: number
  /** Windows after which the limit was computed. */
  updates: number
  dropped: number
  ignored: number
}

/**
 * A semaphore that finds out by itself how many calls its peer can serve at once, from how long they take and which of
 * them are dropped.
 */
export class AdaptiveSemaphore {
  readonly name: string
  readonly #semaphore: Semaphore
  readonly #algorithm: LimitAlgorithm
  readonly #settings: Settings
  #limit: number
  #windowStart: number
  #samples = 0
  #rttSum = 0
  #inflight = 0
  #windowDropped = false
  #updates = 0
  #dropped = 0
  #ignored = 0

  constructor(options: AdaptiveSemaphoreOptions = {}) {
    const settings = resolveOptions('', options, OPTIONS)
    const { initial, min, max, name, clock, maxQueue, order } = settings
    if (max < min) throw new InvalidOptionError('max', `at least \`min\`, ${min}`, max)
    if (initial < min || initial > max) {
      throw new InvalidOptionError(
        'initial',
        `between \`min\` and \`max\`, ${min} and ${max}`,
        initial,
      )
    }
    this.name = name
    this.#settings = settings
    this.#algorithm = settings.algorithm ?? new Gradient()
    this.#limit = initial
    this.#windowStart = clock.now()
    this.#semaphore = new Semaphore({ permits: initial, name, clock, maxQueue, order })
  }

  /** A permit, if one is free and no call waits for it. @throws {LimiterClosedError} */
  tryAcquire(): AdaptivePermit | undefined {
    const permit = this.#semaphore.tryAcquire()
    return permit && this.#admit(permit)
  }

  /**
   * A permit, after waiting for it if need be. Give it back with `release(outcome)`; the time in between is measured.
   *
   * @throws (by rejection) as {@link Semaphore.acquire} does
   */
  async acquire(options?: SemaphoreAcquireOptions): Promise<AdaptivePermit> {
    return this.#admit(await this.#semaphore.acquire(options))
  }

  /** Runs `fn` with a permit, measures it, and gives the permit back however that ends. */
  async run<R>(fn: () => R | PromiseLike<R>, options?: SemaphoreAcquireOptions): Promise<R> {
    const permit = await this.acquire(options)
    let outcome: Outcome = 'success'
    try {
      return await fn()
    } catch (error) {
      outcome = this.#settings.classify(error)
      throw error
    } finally {
      permit.release(outcome)
    }
  }

  /** As {@link Semaphore.onIdle}. */
  onIdle(): Promise<void> {
    return this.#semaphore.onIdle()
  }

  stats(): AdaptiveSemaphoreStats {
    return {
      ...this.#semaphore.stats(),
      limit: this.#limit,
      updates: this.#updates,
      dropped: this.#dropped,
      ignored: this.#ignored,
    }
  }

  /** As {@link Semaphore.close}. */
  close(): void {
    this.#semaphore.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #admit(permit: Permit): AdaptivePermit {
    const start = this.#settings.clock.now()
    this.#inflight = Math.max(this.#inflight, this.#semaphore.stats().active)
    return new AdaptivePermit(permit.waited, outcome => {
      this.#record(outcome, start)
      permit.release()
    })
  }

  #record(outcome: Outcome, start: number): void {
    const { clock, window, minSamples } = this.#settings
    const now = clock.now()
    if (outcome === 'ignored') {
      this.#ignored++
      return
    }
    if (outcome === 'dropped') {
      this.#dropped++
      this.#windowDropped = true
    }
    this.#samples++
    this.#rttSum += now - start
    if (now - this.#windowStart < window || this.#samples < minSamples) return
    this.#update(now)
  }

  #update(now: number): void {
    const rtt = this.#rttSum / this.#samples
    const sample = { rtt, inflight: this.#inflight, dropped: this.#windowDropped }
    const limit = this.#algorithm.update(this.#limit, sample)
    const { min, max } = this.#settings
    this.#limit = Math.min(max, Math.max(min, limit))
    this.#updates++
    this.#windowStart = now
    this.#samples = 0
    this.#rttSum = 0
    this.#inflight = 0
    this.#windowDropped = false
    this.#semaphore.setPermits(Math.max(1, Math.round(this.#limit)))
  }
}

function defaultOutcome(error: unknown): Outcome {
  return isError(error) && error.name === 'TimeoutError' ? 'dropped' : 'ignored'
}

describeStats<AdaptiveSemaphoreStats>(AdaptiveSemaphore.prototype, {
  ...SEMAPHORE_STATS_KINDS,
  limit: 'gauge',
  ...counters('updates', 'dropped', 'ignored'),
})
