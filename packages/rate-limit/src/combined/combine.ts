import {
  type Clock,
  checkClock,
  checkOptions,
  describeStats,
  InvalidOptionError,
} from '@millrace/kit'
import type { LimitPart } from '../limiter/limit-part.ts'
import { LIMITER_OPTIONS, type LimiterOptions } from '../limiter/limiter-options.ts'
import {
  LIMITER_STATS_KINDS,
  type LimiterStats,
  MeteredLimiter,
  partOf,
} from '../limiter/metered-limiter.ts'
import type { Decision } from '../limiter/rate-limiter.ts'
import { SLACK } from '../wait/slack.ts'
import { CombinedMeter } from './combined-meter.ts'

/** What a combination has decided. */
export interface CombinedDecision extends Decision {
  /** How each of its limits stands by itself: of a call that was refused those that had it wait. Empty where calls wait before it. */
  readonly parts: readonly CombinedPart[]
}

/** One limit of a combination, at whatever depth, and how it stands. */
export interface CombinedPart {
  readonly limiter: MeteredLimiter
  readonly decision: Decision
}

/** Several limits that are passed together or not at all; made by {@link combine}. */
export class CombinedLimiter extends MeteredLimiter {
  readonly #limits: readonly MeteredLimiter[]
  readonly #parts: readonly LimitPart[]

  /** @internal */
  constructor(limits: readonly MeteredLimiter[], options: LimiterOptions) {
    checkOptions('', options, LIMITER_OPTIONS)
    const parts = limits.map(partOf)
    const clock = clockOf(parts, options.clock)
    super(new CombinedMeter(parts), { ...options, clock, name: options.name ?? 'combined' })
    this.#limits = limits
    this.#parts = parts
  }

  override decide(cost = 1): CombinedDecision {
    const decision = super.decide(cost)
    const parts = this.#look(cost, this.clock.now(), decision.allowed)
    if (decision.allowed) return { ...decision, parts }
    return { ...decision, parts: parts.filter(part => !part.decision.allowed) }
  }

  stats(): LimiterStats {
    return this.limiterStats()
  }

  /** @param passed whether `cost` was taken from all of them */
  #look(cost: number, now: number, passed: boolean): CombinedPart[] {
    return this.#limits.flatMap((limiter, i) => {
      if (limiter instanceof CombinedLimiter) return limiter.#look(cost, now, passed)
      const { meter } = this.#parts[i]!
      const limit = meter.maxCost
      const remaining = Math.max(0, meter.available(now))
      const wait = passed ? 0 : meter.dueAt(cost, 0, now) - now
      const allowed = wait <= SLACK
      const next = remaining >= 1 ? 0 : meter.dueAt(Math.min(1, limit), 0, now) - now
      const decision = {
        allowed,
        limit,
        remaining,
        resetAfter: meter.resetAfter(now),
        retryAfter: allowed ? 0 : wait,
        nextAfter: Math.max(0, next),
      }
      return [{ limiter, decision }]
    })
  }
}

/**
 * One limiter out of several, such as 10 per second and 300 per minute, or a user's share within a common limit. What
 * passes is taken from every limit, and what does not from none. Combinations may contain combinations.
 *
 * Calls wait in the combination's own queue. Its first call also takes its turn in the lines of the limits inside, beside
 * the calls that wait for one of them directly, and passes when it has had its turn and all limits are ready. No call
 * starves, whatever the other limits are used for.
 *
 * All have one clock, which is the combination's, too.
 *
 * @throws {InvalidOptionError} if the same limit is given twice, at whatever depth, or none; for limits of several clocks, whose times
 *   say nothing of each other
 */
export function combine(
  limits: readonly MeteredLimiter[],
  options: LimiterOptions = {},
): CombinedLimiter {
  if (!Array.isArray(limits) || limits.length === 0) {
    throw new InvalidOptionError('limits', 'an array of at least one limiter', limits)
  }
  for (const limit of limits) {
    if (!(limit instanceof MeteredLimiter)) {
      throw new InvalidOptionError('limits', 'limiters of this package', limit)
    }
  }
  return new CombinedLimiter(limits, options)
}

/** The clock of all. @throws {InvalidOptionError} if there is another one */
function clockOf(parts: readonly LimitPart[], given: Clock | undefined): Clock {
  const { clock } = parts[0]!
  if (parts.some(part => part.clock !== clock)) {
    throw new InvalidOptionError('limits', 'limiters that have the same clock', parts)
  }
  if (given !== undefined && checkClock('clock', given) !== clock) {
    throw new InvalidOptionError('clock', "the limits' own", given)
  }
  return clock
}

describeStats<LimiterStats>(CombinedLimiter.prototype, LIMITER_STATS_KINDS)
