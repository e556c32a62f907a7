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
    return this.#arithmetic.next(this.#slot, cost, now) <= now + SLACK
  }

  tryTake(cost: number, now: number): boolean {
    const next = this.#arithmetic.next(this.#slot, cost, now)
    if (next > now + SLACK) return false
    this.#slot = next
    return true
  }

  dueAt(cost: number, ahead: number, now: number): number {
    return this.#arithmetic.dueAt(this.#slot, ahead + cost, now)
  }

  take(cost: number, now: number): void {
    this.forfeited += this.#arithmetic.forfeited(this.#slot, now)
    this.#slot = this.#arithmetic.dueAt(this.#slot, cost, now)
  }

  refund(cost: number): void {
    this.#slot -= cost * this.#arithmetic.interval
  }

  available(now: number): number {
    return this.#arithmetic.available(this.#slot, now)
  }

  pace(cost: number): number {
    return cost * this.#arithmetic.interval
  }

  resetAfter(now: number): number {
    return this.#arithmetic.resetAfter(this.#slot, now)
  }

  /** Leaves at most `tokens`. */
  cap(tokens: number, now: number): void {
    this.#slot = this.#arithmetic.capped(this.#slot, tokens, now)
  }

  /** Has the next token come after `ms`, not earlier. */
  pause(ms: number, now: number): void {
    this.#slot = this.#arithmetic.paused(this.#slot, ms, now)
  }

  /** Tokens saved so far are kept, up to the new burst; a debt is kept in tokens. */
  setLimits(limits: TokenBucketLimits, now: number): void {
    const before = this.#arithmetic
    this.#arithmetic = GcraArithmetic.of(limits, this.#catchUp)
    this.#slot = this.#arithmetic.converted(this.#slot, before, now)
  }
}
