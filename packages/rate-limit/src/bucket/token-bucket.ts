import {
  checkBoolean,
  checkClock,
  checkNonNegativeOrInfinity,
  checkOptions,
  checkRange,
  describeStats,
  gauges,
  monotonicClock,
  type OptionNames,
  type StatsKinds,
} from '@millrace/kit'
import { LIMITER_OPTIONS, type LimiterOptions } from '../limiter/limiter-options.ts'
import { LONGEST } from '../limiter/longest.ts'
import {
  LIMITER_STATS_KINDS,
  type LimiterStats,
  MeteredLimiter,
} from '../limiter/metered-limiter.ts'
import { Gcra } from '../meter/gcra.ts'
import { TOKEN_BUCKET_LIMITS, type TokenBucketLimits } from '../meter/token-bucket-limits.ts'

export interface TokenBucketOptions extends TokenBucketLimits, LimiterOptions {
  /**
   * How much of a late wake-up is made good while calls wait, in ms. Timers and busy event loops are late by some ms each
   * time; without this the rate falls short by as much. In return up to `catchUp * rate / 1000` tokens, where that is more
   * than `burst`, may pass at once after a stall. Default: 50
   */
  readonly catchUp?: number | undefined
  /** Never more than `burst` at once, whatever rate that costs: `catchUp: 0`. Default: false */
  readonly strict?: boolean | undefined
}

/** The names of {@link TokenBucketOptions}. */
const TOKEN_BUCKET_OPTIONS: OptionNames<TokenBucketOptions> = {
  ...LIMITER_OPTIONS,
  ...TOKEN_BUCKET_LIMITS,
  catchUp: true,
  strict: true,
}

export interface TokenBucketStats extends LimiterStats {
  /** Tokens per second. */
  rate: number
  burst: number
  /** Tokens that waiting callers lost to stalls longer than `catchUp`. */
  forfeited: number
  /** Share of the tokens due that were granted: 1 unless tokens were forfeited. */
  accuracy: number
}

/** What the numbers of {@link TokenBucketStats} are. */
export const TOKEN_BUCKET_STATS_KINDS: StatsKinds<TokenBucketStats> = {
  ...LIMITER_STATS_KINDS,
  ...gauges('rate', 'burst', 'accuracy'),
  forfeited: 'counter',
}

/**
 * A rate with a burst, exact to the token: in no window of w seconds pass more than
 * `max(burst, catchUp * rate / 1000) + rate * w` tokens.
 *
 * Every operation is O(1); nothing runs while no call waits, and one timer serves all who do. See {@link GcraArithmetic}
 * for the algorithm.
 */
export class TokenBucket extends MeteredLimiter {
  readonly #gcra: Gcra

  constructor(options: TokenBucketOptions) {
    checkOptions('', options, TOKEN_BUCKET_OPTIONS)
    const { catchUp = 50, strict = false, name = 'token-bucket', clock = monotonicClock } = options
    const now = checkClock('clock', clock).now()
    const gcra = new Gcra(options, checkBoolean('strict', strict) ? 0 : catchUp, now)
    super(gcra, { ...options, name, clock })
    this.#gcra = gcra
  }

  /**
   * Changes rate and burst at once. Tokens saved so far are kept, up to the new burst; a debt is kept in tokens.
   * Calls that wait for more than the new burst are rejected with {@link InvalidOptionError}, the others served anew.
   *
   * @throws {InvalidOptionError} also for unknown names
   */
  setLimits(limits: TokenBucketLimits): void {
    this.#gcra.setLimits(checkOptions('', limits, TOKEN_BUCKET_LIMITS), this.clock.now())
    this.relaxed()
  }

  /**
   * Leaves at most `tokens` in the bucket, because a peer that counts for itself says so.
   *
   * @throws {InvalidOptionError} for less than none
   */
  cap(tokens: number): void {
    this.#gcra.cap(checkNonNegativeOrInfinity('tokens', tokens), this.clock.now())
  }

  /**
   * Empties the bucket and has the next token come after `ms`, at most 1e12, as a peer's `Retry-After` asks, whatever is given back
   * meanwhile; 0 changes nothing. What waits, waits on.
   *
   * @throws {InvalidOptionError}
   */
  pause(ms: number): void {
    if (checkRange('ms', ms, 0, LONGEST) > 0) this.#gcra.pause(ms, this.clock.now())
  }

  /** Tokens per second. */
  get rate(): number {
    return this.#gcra.rate
  }

  /** The most tokens saved up. */
  get burst(): number {
    return this.#gcra.maxCost
  }

  stats(): TokenBucketStats {
    const base = this.limiterStats()
    const { rate, maxCost, forfeited } = this.#gcra
    const delivered = base.granted + base.refunded
    return {
      ...base,
      rate,
      burst: maxCost,
      forfeited,
      accuracy: delivered === 0 ? 1 : delivered / (delivered + forfeited),
    }
  }
}

describeStats<TokenBucketStats>(TokenBucket.prototype, TOKEN_BUCKET_STATS_KINDS)
