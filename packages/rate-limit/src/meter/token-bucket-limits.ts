import { checkPositive, InvalidOptionError, type OptionNames } from '@millrace/kit'

/** Of a token bucket: what may be changed while it is in use. */
export interface TokenBucketLimits {
  /** Tokens per second, whole or fractional; from 1e-9 to 1e9. */
  readonly rate: number
  /** The most tokens that can be saved up, and so the largest cost; above 0. Default: `rate`, at least 1 */
  readonly burst?: number | undefined
}

/** The names of {@link TokenBucketLimits}. */
export const TOKEN_BUCKET_LIMITS: OptionNames<TokenBucketLimits> = { rate: true, burst: true }

/** A token a year is 3e-8 per second; beyond a token per nanosecond no clock tells slots apart. */
const SLOWEST = 1e-9
const FASTEST = 1e9

/** Beyond it the time of one token is too small a part of a bucket's for doubles to tell. */
const LARGEST_BURST = 1e12

/**
 * The time in which a bucket may fill at most, in ms: 30,000 years. Virtual times beyond it would be too coarse for doubles to add a
 * token's time to.
 */
const LONGEST_FILL = 1e15

/**
 * @returns ms per token and the burst
 * @throws {InvalidOptionError} for limits with which the arithmetic of virtual times would lose tokens, or never refuse
 */
export function checkLimits(limits: TokenBucketLimits): { interval: number; burst: number } {
  const { rate } = limits
  checkPositive('rate', rate)
  const { burst = Math.max(1, rate) } = limits
  if (rate < SLOWEST || rate > FASTEST) {
    throw new InvalidOptionError('rate', `a number from ${SLOWEST} to ${FASTEST} per second`, rate)
  }
  checkPositive('burst', burst)
  if (burst > LARGEST_BURST) {
    throw new InvalidOptionError('burst', `at most ${LARGEST_BURST} tokens`, burst)
  }
  const interval = 1_000 / rate
  const fill = burst * interval
  if (!(fill <= LONGEST_FILL && fill >= 1e-9)) {
    throw new InvalidOptionError(
      'burst',
      'a number of tokens that the rate refills in 1e-9 to 1e15 ms',
      burst,
    )
  }
  return { interval, burst }
}
