import type { KeyedLimitPart } from '../keyed/keyed-limits.ts'
import type { Decision } from '../limiter/rate-limiter.ts'

/** What a limiter bounds, from which the policy is told. */
export interface LimiterBounds {
  /** Of buckets: tokens per second and the most at once. */
  readonly rate?: number | undefined
  readonly burst?: number | undefined
  /** Of windows: the most permits in one, and its length in ms. */
  readonly limit?: number | undefined
  readonly window?: number | undefined
}

/** What is used of a limiter: a {@link KeyedLimiter}, a {@link KeyedWindow}, or one of them on Redis. */
export interface KeyedDecider extends KeyedLimitPart, LimiterBounds {
  /** Needed where several limits are passed together, or only some answers count. */
  refund?(key: string, cost?: number): unknown
}

/** The same of a limiter for all requests together: a {@link TokenBucket}, a {@link SlidingWindow}, or one of them on Redis. */
export interface CommonDecider extends LimiterBounds {
  readonly name: string
  tryAcquire(cost?: number): boolean | Promise<boolean>
  decide(cost?: number): Decision | Promise<Decision>
  refund?(cost?: number): unknown
}

const common = new WeakMap<CommonDecider, KeyedDecider>()

/** Whether a limiter is one for all requests together: those by key say that they are, or have nothing but decisions. */
export function isCommon(limiter: KeyedDecider | CommonDecider): limiter is CommonDecider {
  const { tryAcquire, keyed } = limiter as { tryAcquire?: unknown; keyed?: unknown }
  return typeof tryAcquire === 'function' && keyed !== true
}

/** A limiter as one by key; one for all requests takes no notice of it. */
export function keyedDecider(limiter: KeyedDecider | CommonDecider): KeyedDecider {
  if (!isCommon(limiter)) return limiter
  let decider = common.get(limiter)
  if (decider === undefined) {
    decider = {
      name: limiter.name,
      decide: (_, cost) => limiter.decide(cost),
      ...(typeof limiter.refund === 'function' && {
        refund: (_: string, cost?: number) => limiter.refund!(cost),
      }),
      get rate() {
        return limiter.rate
      },
      get burst() {
        return limiter.burst
      },
      get limit() {
        return limiter.limit
      },
      get window() {
        return limiter.window
      },
    }
    common.set(limiter, decider)
  }
  return decider
}
