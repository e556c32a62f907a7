import {
  type Clock,
  checkClock,
  checkText,
  InvalidOptionError,
  monotonicClock,
  type StatsKinds,
} from '@millrace/kit'
import type { Meter } from '../meter/meter.ts'
import {
  type AcquireOptions,
  type Admission,
  costOf,
  costTwice,
  optionsOf,
} from '../wait/acquire-options.ts'
import { hasRefusalSubscribers, publishRefusal } from '../wait/channels.ts'
import type { Gate } from '../wait/gate.ts'
import { SLACK } from '../wait/slack.ts'
import { WaitList } from '../wait/wait-list.ts'
import type { Waiter } from '../wait/waiter.ts'
import { checkRefund } from './check-refund.ts'
import type { LimitPart } from './limit-part.ts'
import type { LimiterOptions } from './limiter-options.ts'
import { NO_WAIT } from './no-wait.ts'
import type { Decision, RateLimiter } from './rate-limiter.ts'
import { RATE_STATS_KINDS, type RateStats } from './rate-stats.ts'

/** Statistics that every limiter has. */
export interface LimiterStats extends RateStats {
  /** Permits that could be had at once now; negative only after the limits were lowered. */
  available: number
}

/** What the numbers of {@link LimiterStats} are. */
export const LIMITER_STATS_KINDS: StatsKinds<LimiterStats> = {
  ...RATE_STATS_KINDS,
  available: 'gauge',
}

/** Opens a limiter to other limiters of this package. */
export let partOf: (limiter: MeteredLimiter) => LimitPart

/** A {@link Meter} with a queue: what all rate limits of this package share. */
export abstract class MeteredLimiter implements RateLimiter {
  readonly name: string
  protected readonly meter: Meter
  protected readonly clock: Clock
  readonly #waiters: WaitList<Admission>
  readonly #watchers = new Set<() => void>()
  #granted = 0
  #refused = 0
  #refunded = 0
  /** How many combinations around this limit have it wait for their first call. */
  #holds = 0
  /** No call that waits asks for more. */
  #largest = 0

  static {
    partOf = limiter => limiter.#part()
  }

  protected constructor(
    meter: Meter,
    { name, clock = monotonicClock, order, maxQueue }: LimiterOptions & { name: string },
  ) {
    this.name = name
    this.meter = meter
    this.clock = checkClock('clock', clock)
    this.#waiters = new WaitList(this.#gate(), {
      name: checkText('name', name),
      clock,
      order,
      maxQueue,
    })
    meter.attach?.(() => this.#waiters.serve())
  }

  /**
   * Spends `cost` if that is possible now and no call waits.
   *
   * @param cost default 1; whole or fractional
   * @throws {InvalidOptionError} if `cost` is more than can ever pass; {LimiterClosedError}
   */
  tryAcquire(cost = 1): boolean {
    if (!this.#fits(cost)) throw this.#badCost(cost)
    const now = this.clock.now()
    if (this.#waiters.vacant && this.meter.tryTake(cost, now)) {
      this.#granted += cost
      return true
    }
    this.#waiters.checkOpen()
    this.#refused++
    if (hasRefusalSubscribers()) publishRefusal(this.name, cost, this.#waitFor(cost, now))
    return false
  }

  /**
   * Spends `cost`, after waiting for its turn if need be.
   *
   * @throws (by rejection) {RateLimitedError} at once, if the wait is known to exceed `timeout`; {AcquireTimeoutError}
   *   if others of higher priority make it exceed it; `signal.reason` on abort; {QueueFullError}; {LimiterClosedError};
   *   {InvalidOptionError} for a cost that can never pass, a negative timeout or an unknown priority
   */
  acquire(cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(options?: AcquireOptions): Promise<Admission>
  acquire(first?: number | AcquireOptions, second?: AcquireOptions): Promise<Admission> {
    const options = optionsOf(first, second)
    const wrong = costTwice(first, options)
    if (wrong !== undefined) return Promise.reject(wrong)
    const cost = costOf(first, options)
    if (!this.#fits(cost)) return Promise.reject(this.#badCost(cost))
    const waiters = this.#waiters
    if (waiters.admits(options) && this.meter.tryTake(cost, this.clock.now())) {
      this.#granted += cost
      return NO_WAIT
    }
    this.#largest = Math.max(this.#largest, cost)
    const admission = waiters.wait(cost, options)
    if (waiters.size !== 0) this.meter.watch?.(this.#onRelaxed)
    return admission
  }

  /**
   * {@link tryAcquire} with all that a response header or a log line needs.
   *
   * @throws {InvalidOptionError} if `cost` is more than can ever pass; {LimiterClosedError}
   */
  decide(cost = 1): Decision {
    const allowed = this.tryAcquire(cost)
    const now = this.clock.now()
    const remaining = this.#waiters.size === 0 ? Math.max(0, this.meter.available(now)) : 0
    const { maxCost } = this.meter
    return {
      allowed,
      limit: maxCost,
      remaining,
      resetAfter: this.meter.resetAfter(now),
      retryAfter: allowed ? 0 : this.#waitFor(cost, now),
      nextAfter: remaining >= 1 ? 0 : this.#waitFor(Math.min(1, maxCost), now),
    }
  }

  /**
   * Gives back what was granted but not used. Never more than the limit is saved up by it: grants less refunds keep
   * the bound.
   *
   * @throws {InvalidOptionError} for more than was granted
   */
  refund(cost = 1): void {
    checkRefund(cost, this.#granted)
    this.meter.refund(cost, this.clock.now())
    this.#granted -= cost
    this.#refunded += cost
    this.relaxed()
  }

  /**
   * How long a caller that came now would wait for `cost`, in ms, if no call of higher priority came after it.
   *
   * @throws {InvalidOptionError} if `cost` is more than can ever pass
   */
  estimateWait(cost = 1): number {
    if (!this.#fits(cost)) throw this.#badCost(cost)
    return this.#waitFor(cost, this.clock.now())
  }

  /** Ends all waits with {@link LimiterClosedError} and refuses what asks for permits from now on. Permits can still be refunded. */
  close(): void {
    this.#waiters.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  protected limiterStats(): LimiterStats {
    const waiters = this.#waiters
    return {
      granted: this.#granted,
      refused: this.#refused + waiters.refused,
      refunded: this.#refunded,
      waiting: waiters.size,
      timeouts: waiters.timeouts,
      aborts: waiters.aborts,
      available: this.meter.available(this.clock.now()),
    }
  }

  /** To be called after a change that can let waiters through earlier, or some of them never. */
  protected relaxed(): void {
    const { maxCost } = this.meter
    // All waiters are looked at only when some may have become impossible, not at every refund.
    if (maxCost < this.#largest) {
      this.#waiters.evict(({ cost }) => (cost > maxCost ? this.#badCost(cost) : undefined))
    }
    this.#largest = Math.min(this.#largest, maxCost)
    this.#waiters.serve()
    for (const tell of [...this.#watchers]) tell()
  }

  readonly #onRelaxed = (): void => this.relaxed()

  #part(): LimitPart {
    const waiters = this.#waiters
    return {
      meter: this.meter,
      clock: this.clock,
      get waiting() {
        return waiters.size !== 0
      },
      join: (head, key, returned, onTurn) =>
        waiters.join(head, key, returned, () => {
          onTurn()
          // Its turn is over, unless it is held until another limit is ready.
          if (this.#holds === 0) this.meter.leave?.()
        }),
      hold: head => {
        this.#holds++
        this.meter.hold?.(head)
        return waiters.hold(head)
      },
      leave: proxy => {
        if (proxy.held) {
          this.#holds--
          if (this.#holds === 0) this.meter.leave?.()
        }
        waiters.leave(proxy)
      },
      costAhead: (priority, key) => waiters.costAhead(priority, key ?? ''),
      count: cost => {
        this.#granted += cost
      },
      refund: cost => this.refund(cost),
      // What changes in a limit inside this one is news for those around it too.
      watch: listener => {
        this.#watchers.add(listener)
        this.meter.watch?.(this.#onRelaxed)
      },
      unwatch: listener => {
        this.#watchers.delete(listener)
        this.#unwatch()
      },
    }
  }

  #unwatch(): void {
    if (this.#watchers.size === 0 && this.#waiters.size === 0) this.meter.unwatch?.(this.#onRelaxed)
  }

  #gate(): Gate<Admission> {
    return {
      timed: true,
      dueAt: (cost, ahead, now) => this.meter.dueAt(cost, ahead, now),
      lineUp: this.meter.lineUp && ((head, now) => this.meter.lineUp!(head, now)),
      admit: ({ cost, since }: Waiter, now) => {
        this.meter.take(cost, now)
        this.meter.leave?.()
        this.#granted += cost
        return { waited: now - since }
      },
      idle: () => {
        this.meter.leave?.()
        this.#unwatch()
      },
    }
  }

  #waitFor(cost: number, now: number): number {
    const wait = this.meter.dueAt(cost, this.#waiters.costAhead(), now) - now
    return wait > SLACK ? wait : 0
  }

  #fits(cost: number): boolean {
    return typeof cost === 'number' && cost >= 0 && cost <= this.meter.maxCost
  }

  #badCost(cost: number): InvalidOptionError {
    return new InvalidOptionError('cost', `a number from 0 to ${this.meter.maxCost}`, cost)
  }
}
