import { checkNonNegative } from '@millrace/kit'
import { SLACK } from '../wait/slack.ts'
import type { Meter } from './meter.ts'
import { checkLimits, type TokenBucketLimits } from './token-bucket-limits.ts'

/**
 * The generic cell rate algorithm (ITU-T I.371): a token bucket kept as one number, the virtual time of the last token
 * handed out. The time between it and now, up to `burst` intervals, is the credit.
 */
export class Gcra implements Meter {
  // Fields start as numbers: V8 stores a number field that was ever undefined in a new object at each write.
  /** Virtual time of the last token handed out, ms. */
  #slot = 0
  /** Ms per token. */
  #interval = 0
  #burst = 0
  /** The time in which an empty bucket fills, ms. */
  #burstSpan = 0
  /** The credit kept while callers wait, ms. */
  #backlogSpan = 0
  readonly #catchUp: number
  /** Tokens that waiting callers lost to stalls longer than `catchUp`. */
  forfeited = 0

  constructor(limits: TokenBucketLimits, catchUp: number, now: number) {
    this.#catchUp = checkNonNegative('catchUp', catchUp)
    this.#assign(limits)
    this.#slot = now - this.#burstSpan
  }

  get rate(): number {
    return 1_000 / this.#interval
  }

  get maxCost(): number {
    return this.#burst
  }

  canTake(cost: number, now: number): boolean {
    return Math.max(this.#slot, now - this.#burstSpan) + cost * this.#interval <= now + SLACK
  }

  tryTake(cost: number, now: number): boolean {
    const floor = now - this.#burstSpan
    const slot = this.#slot
    const next = Math.max(slot, floor) + cost * this.#interval
    if (next > now + SLACK) return false
    this.#slot = next
    return true
  }

  dueAt(cost: number, ahead: number, now: number): number {
    return Math.max(this.#slot, now - this.#backlogSpan) + (ahead + cost) * this.#interval
  }

  /**
   * While calls wait the bucket was empty, so any credit stems from a late wake-up. It is kept up to `catchUp`, or
   * each late timer would lower the rate: benchmark cases "accuracy at …".
   */
  take(cost: number, now: number): void {
    const floor = now - this.#backlogSpan
    if (this.#slot < floor) {
      this.forfeited += (floor - this.#slot) / this.#interval
      this.#slot = floor
    }
    this.#slot += cost * this.#interval
  }

  refund(cost: number): void {
    this.#slot -= cost * this.#interval
  }

  available(now: number): number {
    return (now - Math.max(this.#slot, now - this.#burstSpan)) / this.#interval
  }

  pace(cost: number): number {
    return cost * this.#interval
  }

  resetAfter(now: number): number {
    return Math.max(0, this.#slot - now + this.#burstSpan)
  }

  /** Leaves at most `tokens`. */
  cap(tokens: number, now: number): void {
    this.#slot = Math.max(this.#slot, now - tokens * this.#interval)
  }

  /** Has the next token come after `ms`, not earlier. */
  pause(ms: number, now: number): void {
    this.#slot = Math.max(this.#slot, now + ms - this.#interval)
  }

  /** Tokens saved so far are kept, up to the new burst; a debt is kept in tokens. */
  setLimits(limits: TokenBucketLimits, now: number): void {
    const available = this.available(now)
    this.#assign(limits)
    this.#slot = now - Math.min(available, this.#burst) * this.#interval
  }

  #assign(limits: TokenBucketLimits): void {
    const { interval, burst } = checkLimits(limits)
    this.#burst = burst
    this.#interval = interval
    this.#burstSpan = burst * interval
    this.#backlogSpan = Math.max(this.#burstSpan, this.#catchUp)
  }
}
