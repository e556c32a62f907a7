import {
  type Clock,
  checkClock,
  checkInteger,
  checkOptions,
  checkText,
  describeStats,
  gauges,
  InvalidOptionError,
  monotonicClock,
  type OptionNames,
  type StatsKinds,
} from '@millrace/kit'
import { LIMITER_OPTIONS, type LimiterOptions } from '../limiter/limiter-options.ts'
import { optionsOf } from '../wait/acquire-options.ts'
import { publishRefusal } from '../wait/channels.ts'
import { WaitList } from '../wait/wait-list.ts'
import { WAIT_STATS_KINDS, type WaitStats } from '../wait/wait-totals.ts'
import { Permit } from './permit.ts'
import { PermitCounter } from './permit-counter.ts'
import { type SemaphoreAcquireOptions, weightOf, withoutWeight } from './semaphore-acquire.ts'

export interface SemaphoreOptions extends LimiterOptions {
  /** How many may be inside at once; a positive integer. */
  readonly permits: number
}

const NAMES: OptionNames<SemaphoreOptions> = { ...LIMITER_OPTIONS, permits: true }

export interface SemaphoreStats extends WaitStats {
  permits: number
  /** Permits held now, by this process; above `permits` only after that was lowered. */
  active: number
  /** Permits handed out so far. */
  granted: number
}

/** What the numbers of {@link SemaphoreStats} are. */
export const SEMAPHORE_STATS_KINDS: StatsKinds<SemaphoreStats> = {
  ...WAIT_STATS_KINDS,
  ...gauges('permits', 'active'),
  granted: 'counter',
}

/**
 * At most `permits` calls inside at once; the others wait in order. A call may hold several permits as one.
 *
 * A released permit goes straight to the next waiter and is never free in between, so no newcomer can overtake: a heavy
 * call at the head of the queue holds up light ones behind it.
 */
export class Semaphore {
  readonly name: string
  readonly #waiters: WaitList<void>
  readonly #clock: Clock
  readonly #counter: PermitCounter
  #idle: PromiseWithResolvers<void> | undefined = undefined
  #refused = 0

  constructor(options: SemaphoreOptions) {
    const {
      permits,
      maxQueue,
      order,
      name = 'semaphore',
      clock = monotonicClock,
    } = checkOptions('', options, NAMES)
    this.name = checkText('name', name)
    this.#clock = checkClock('clock', clock)
    this.#counter = new PermitCounter(checkInteger('permits', permits, 1))
    this.#waiters = new WaitList(this.#counter, { name, clock, order, maxQueue })
    this.#counter.onVacancy = () => {
      if (this.#waiters.size !== 0) this.#waiters.serve()
      if (this.#idle !== undefined && this.#counter.active === 0) {
        this.#idle.resolve()
        this.#idle = undefined
      }
    }
  }

  /**
   * `weight` permits as one, if they are free and nothing waits for them.
   *
   * @throws {InvalidOptionError} for a weight that can never pass; {LimiterClosedError}
   */
  tryAcquire(weight = 1): Permit | undefined {
    this.#checkWeight(weight)
    if (!this.#enter(weight, undefined)) {
      this.#waiters.checkOpen()
      this.#refused++
      publishRefusal(this.name, weight, Infinity)
      return undefined
    }
    return new Permit(this.#counter, weight, 0)
  }

  /**
   * `weight` permits as one, after waiting for them if need be: `using permit = await semaphore.acquire()`.
   *
   * @throws (by rejection) {AcquireTimeoutError}; `signal.reason` on abort; {QueueFullError}; {LimiterClosedError};
   *   {InvalidOptionError} for a weight that can never pass, a negative timeout or an unknown priority
   */
  acquire(weight: number, options?: SemaphoreAcquireOptions): Promise<Permit>
  acquire(options?: SemaphoreAcquireOptions): Promise<Permit>
  async acquire(
    first?: number | SemaphoreAcquireOptions,
    second?: SemaphoreAcquireOptions,
  ): Promise<Permit> {
    const options = optionsOf(first, second)
    const weight = weightOf(first, options)
    this.#checkWeight(weight)
    const wait = withoutWeight(options)
    if (this.#enter(weight, wait)) return new Permit(this.#counter, weight, 0)
    const since = this.#clock.now()
    await this.#waiters.wait(weight, wait)
    return new Permit(this.#counter, weight, this.#clock.now() - since)
  }

  /**
   * Runs `fn` with a permit, or with `options.weight`, and gives it back however that ends. Cheaper than {@link acquire}: no
   * permit object.
   *
   * @returns what `fn` returns
   * @throws (by rejection) what `fn` throws, and what {@link acquire} does
   */
  async run<R>(fn: () => R | PromiseLike<R>, options?: SemaphoreAcquireOptions): Promise<R> {
    const weight = weightOf(undefined, options)
    this.#checkWeight(weight)
    const wait = withoutWeight(options)
    if (!this.#enter(weight, wait)) await this.#waiters.wait(weight, wait)
    try {
      return await fn()
    } finally {
      this.#counter.leave(weight)
    }
  }

  /**
   * Changes how many may be inside. Nothing is thrown out: after lowering it, nothing enters until enough have left. Calls that
   * wait for more than there are now are rejected with {@link InvalidOptionError}.
   */
  setPermits(permits: number): void {
    this.#counter.permits = checkInteger('permits', permits, 1)
    this.#waiters.evict(({ cost }) => (cost > permits ? this.#badWeight(cost) : undefined))
    this.#waiters.serve()
  }

  /** Resolves as soon as nothing is inside and nothing waits: at once, if that is so now. */
  onIdle(): Promise<void> {
    // Nothing waits while all places are free.
    if (this.#counter.active === 0) return Promise.resolve()
    this.#idle ??= Promise.withResolvers()
    return this.#idle.promise
  }

  stats(): SemaphoreStats {
    return {
      permits: this.#counter.permits,
      active: this.#counter.active,
      waiting: this.#waiters.size,
      granted: this.#counter.granted,
      refused: this.#refused + this.#waiters.refused,
      timeouts: this.#waiters.timeouts,
      aborts: this.#waiters.aborts,
    }
  }

  /** Ends all waits with {@link LimiterClosedError} and refuses what asks for permits from now on. Holders are left alone. */
  close(): void {
    this.#waiters.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #enter(weight: number, options: SemaphoreAcquireOptions | undefined): boolean {
    const counter = this.#counter
    if (!counter.fits(weight) || !this.#waiters.admits(options)) return false
    counter.enter(weight)
    return true
  }

  #checkWeight(weight: number): void {
    if (weight === 1) return
    const { permits } = this.#counter
    if (!(Number.isSafeInteger(weight) && weight >= 1 && weight <= permits)) {
      throw this.#badWeight(weight)
    }
  }

  #badWeight(weight: number): InvalidOptionError {
    const { permits } = this.#counter
    return new InvalidOptionError('weight', `an integer from 1 to the ${permits} permits`, weight)
  }
}

describeStats<SemaphoreStats>(Semaphore.prototype, SEMAPHORE_STATS_KINDS)
