import { systemClock } from '../clock.ts'
import {
  type LimiterOptions,
  type LimiterStats,
  MeteredLimiter,
} from '../limiter/metered-limiter.ts'
import { Gcra, type TokenBucketLimits } from '../meter/gcra.ts'
import { nonNegative } from '../option-checks.ts'

export interface TokenBucketOptions extends TokenBucketLimits, LimiterOptions {
  /**
   * How much of a late wake-up is made good while callers wait, in ms; default 50. Timers and busy event loops are
   * late by some ms each time; without this the rate falls short by as much. In return up to `catchUp * rate / 1000`
   * tokens, where that is more than `burst`, may pass at once after a stall.
   */
  catchUp?: number | undefined
  /** Never more than `burst` at once, whatever rate that costs: `catchUp: 0`. Default false. */
  strict?: boolean | undefined
}

export interface TokenBucketStats extends LimiterStats {
  /** Tokens per second. */
  rate: number
  burst: number
  /** Tokens that waiting callers lost to stalls longer than `catchUp`. */
  forfeited: number
  /** Share of the tokens due that were granted: 1 unless tokens were forfeited. */
  accuracy: number
  /** The most tokens granted beyond the bound in any stretch of the last minute, or as found before; at most 0 if it was kept. */
  overshoot: number
}

/**
 * A rate with a burst, exact to the token: in no window of w seconds pass more than
 * `max(burst, catchUp * rate / 1000) + rate * w` tokens.
 *
 * Every operation is O(1); nothing runs while nobody waits, and one timer serves all who do. See {@link Gcra} for the
 * algorithm.
 */
export class TokenBucket extends MeteredLimiter<Gcra> {
  constructor(options: TokenBucketOptions) {
    const { catchUp = 50, strict = false, name = 'token-bucket', clock = systemClock } = options
    super(new Gcra(options, strict ? 0 : catchUp, clock.now()), { ...options, name, clock })
  }

  /**
   * Changes rate and burst at once. Tokens saved so far are kept, up to the new burst; a debt is kept in tokens.
   * Callers that wait for more than the new burst are rejected with {@link InvalidOptionError}, the others served anew.
   */
  setLimits(limits: TokenBucketLimits): void {
    this.meter.setLimits(limits, this.clock.now())
    this.relaxed()
  }

  /**
   * Leaves at most `tokens` in the bucket, because a peer that counts for itself says so.
   *
   * @throws {InvalidOptionError} for less than none
   */
  cap(tokens: number): void {
    this.meter.cap(nonNegative('tokens', tokens), this.clock.now())
  }

  /**
   * Empties the bucket and has the next token come after `ms`, as a peer's `Retry-After` asks. Who waits, waits on.
   *
   * @throws {InvalidOptionError} for a time that is none
   */
  pause(ms: number): void {
    this.meter.pause(nonNegative('ms', ms), this.clock.now())
  }

  stats(): TokenBucketStats {
    const base = this.limiterStats()
    const { rate, maxCost, forfeited } = this.meter
    const delivered = base.granted + base.refunded
    return {
      ...base,
      rate,
      burst: maxCost,
      forfeited,
      accuracy: delivered === 0 ? 1 : delivered / (delivered + forfeited),
      overshoot: this.meter.overshoot(),
    }
  }
}
