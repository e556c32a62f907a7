import { checkLimits, type TokenBucketLimits } from './token-bucket-limits.ts'

/**
 * The generic cell rate algorithm (ITU-T I.371): a token bucket is one number, its slot: the virtual time of the last token
 * handed out. The time between that and now, up to `burst` intervals, is the credit. This is the arithmetic of it; the slots
 * are kept where it is used: one in a {@link Gcra}, a table of them for buckets by key. All O(1).
 */
export class GcraArithmetic {
  /** Ms per token. */
  readonly interval: number
  readonly burst: number
  /** The time in which an empty bucket fills, ms. */
  readonly #burstSpan: number
  /** What is there when a pause ends: a token, or what such a bucket holds, ms. */
  readonly #first: number
  /** The credit kept while calls wait, ms. */
  readonly #backlogSpan: number

  /**
   * @param interval ms per token
   * @param catchUp how much of a late wake-up is made good while calls wait, ms
   */
  constructor(interval: number, burst: number, catchUp = 0) {
    this.interval = interval
    this.burst = burst
    this.#burstSpan = burst * interval
    this.#first = Math.min(interval, this.#burstSpan)
    this.#backlogSpan = Math.max(this.#burstSpan, catchUp)
  }

  /** @throws {InvalidOptionError} for limits that the arithmetic cannot hold */
  static of(limits: TokenBucketLimits, catchUp: number): GcraArithmetic {
    const { interval, burst } = checkLimits(limits)
    return new GcraArithmetic(interval, burst, catchUp)
  }

  /** Tokens per second. */
  get rate(): number {
    return 1_000 / this.interval
  }

  /** The slot of a full bucket. */
  full(now: number): number {
    return now - this.#burstSpan
  }

  /** The slot after `cost`: it may pass if that is not after `now`. */
  next(slot: number, cost: number, now: number): number {
    return Math.max(slot, now - this.#burstSpan) + cost * this.interval
  }

  /**
   * The same for calls that wait. While they do the bucket was empty, so that any credit stems from a late wake-up. It is kept up to
   * `catchUp`, or each late timer would lower the rate: benchmark cases "rate error at …".
   */
  dueAt(slot: number, cost: number, now: number): number {
    return Math.max(slot, now - this.#backlogSpan) + cost * this.interval
  }

  /** Tokens that calls which waited have lost, as a slot is further behind than the credit that is kept. */
  forfeited(slot: number, now: number): number {
    return Math.max(0, (now - this.#backlogSpan - slot) / this.interval)
  }

  /** Tokens in the bucket; below 0 for a debt. */
  available(slot: number, now: number): number {
    return (now - Math.max(slot, now - this.#burstSpan)) / this.interval
  }

  /** In how many ms the bucket is full. */
  resetAfter(slot: number, now: number): number {
    return Math.max(0, slot - now + this.#burstSpan)
  }

  /** The slot of a bucket with at most `tokens`. */
  capped(slot: number, tokens: number, now: number): number {
    return Math.max(slot, now - tokens * this.interval)
  }

  /** The slot of a bucket that is empty and whose next token comes after `ms`, not earlier. */
  paused(slot: number, ms: number, now: number): number {
    return Math.max(slot, now + ms - this.#first)
  }

  /** The slot after a refund. Of a bucket that is paused the first token still comes when the pause ends. */
  refunded(slot: number, cost: number, now: number, pausedUntil: number): number {
    const refunded = slot - cost * this.interval
    return pausedUntil > now ? Math.max(refunded, pausedUntil - this.#first) : refunded
  }

  /** The slot of a bucket that had other limits: tokens saved are kept, up to the burst; a debt is kept in tokens. */
  converted(slot: number, from: GcraArithmetic, now: number): number {
    return now - Math.min(from.available(slot, now), this.burst) * this.interval
  }
}
