import { checkNonNegative } from '@millrace/kit'
import { SLACK } from '../wait/slack.ts'
import { GcraArithmetic } from './gcra-arithmetic.ts'
import type { Meter } from './meter.ts'
import type { TokenBucketLimits } from './token-bucket-limits.ts'

/** A token bucket as one virtual time: see {@link GcraArithmetic}. */
export class Gcra implements Meter {
  // A field that starts as a number: V8 stores one that was ever undefined in a new object at each write.
  #slot = 0
  #arithmetic: GcraArithmetic
  readonly #catchUp: number
  /** Nothing passes before it, whatever is given back, ms. */
  #pausedUntil = -Infinity
  /** Tokens that waiting callers lost to stalls longer than `catchUp`. */
  forfeited = 0

  constructor(limits: TokenBucketLimits, catchUp: number, now: number) {
    this.#catchUp = checkNonNegative('catchUp', catchUp)
    this.#arithmetic = GcraArithmetic.of(limits, catchUp)
    this.#slot = this.#arithmetic.full(now)
  }

  get rate(): number {
    return this.#arithmetic.rate
  }

  get maxCost(): number {
    return this.#arithmetic.burst
  }

  canTake(cost: number, now: number): boolean {
    return this.#arithmetic.next(this.#slot, cost, now) <= now + SLACK && !this.#paused(now)
  }

  tryTake(cost: number, now: number): boolean {
    const next = this.#arithmetic.next(this.#slot, cost, now)
    if (next > now + SLACK || this.#paused(now)) return false
    this.#slot = next
    return true
  }

  dueAt(cost: number, ahead: number, now: number): number {
    return Math.max(this.#arithmetic.dueAt(this.#slot, ahead + cost, now), this.#pausedUntil)
  }

  take(cost: number, now: number): void {
    this.forfeited += this.#arithmetic.forfeited(this.#slot, now)
    this.#slot = this.#arithmetic.dueAt(this.#slot, cost, now)
  }

  refund(cost: number, now: number): void {
    this.#slot = this.#arithmetic.refunded(this.#slot, cost, now, this.#pausedUntil)
  }

  available(now: number): number {
    const available = this.#arithmetic.available(this.#slot, now)
    return this.#paused(now) ? Math.min(0, available) : available
  }

  pace(cost: number): number {
    return cost * this.#arithmetic.interval
  }

  resetAfter(now: number): number {
    return Math.max(this.#arithmetic.resetAfter(this.#slot, now), this.#pausedUntil - now)
  }

  /** Leaves at most `tokens`. */
  cap(tokens: number, now: number): void {
    this.#slot = this.#arithmetic.capped(this.#slot, tokens, now)
  }

  /** Has the next token come after `ms`, not earlier. */
  pause(ms: number, now: number): void {
    this.#slot = this.#arithmetic.paused(this.#slot, ms, now)
    this.#pausedUntil = Math.max(this.#pausedUntil, now + ms)
  }

  /** Tokens saved so far are kept, up to the new burst; a debt is kept in tokens, a pause in time. */
  setLimits(limits: TokenBucketLimits, now: number): void {
    const before = this.#arithmetic
    this.#arithmetic = GcraArithmetic.of(limits, this.#catchUp)
    const from = Math.max(now, this.#pausedUntil)
    this.#slot = this.#arithmetic.converted(this.#slot, before, from)
  }

  #paused(now: number): boolean {
    return now + SLACK < this.#pausedUntil
  }
}
