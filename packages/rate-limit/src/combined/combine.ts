import { InvalidOptionError } from '../errors.ts'
import {
  type LimiterOptions,
  type LimiterStats,
  MeteredLimiter,
  partOf,
} from '../limiter/metered-limiter.ts'
import { CombinedMeter } from './combined-meter.ts'

/** Several limits that are passed together or not at all; made by {@link combine}. */
export class CombinedLimiter extends MeteredLimiter<CombinedMeter> {
  /** @internal */
  constructor(limits: readonly MeteredLimiter[], options: LimiterOptions) {
    super(new CombinedMeter(limits.map(partOf)), { ...options, name: options.name ?? 'combined' })
  }

  stats(): LimiterStats {
    return this.limiterStats()
  }
}

/**
 * One limiter out of several, such as 10 per second and 300 per minute, or a user's share within a common limit. What
 * passes is taken from every limit, and what does not from none. Combinations may contain combinations.
 *
 * Who waits for a combination waits in the combination's queue, the first of whom stands in the line of the limit that is
 * due last, among all others that wait for it. A caller is let through when its turn comes there and the other limits are
 * ready too; if one is not, it goes on to that one's line.
 *
 * @throws {InvalidOptionError} if the same limit is given twice, or none
 */
export function combine(
  limits: readonly MeteredLimiter[],
  options: LimiterOptions = {},
): CombinedLimiter {
  if (limits.length === 0 || new Set(limits).size !== limits.length) {
    throw new InvalidOptionError('limits', 'at least one limiter, each once', limits)
  }
  for (const limit of limits) {
    if (!(limit instanceof MeteredLimiter)) {
      throw new InvalidOptionError('limits', 'limiters of this package', limit)
    }
  }
  return new CombinedLimiter(limits, options)
}
