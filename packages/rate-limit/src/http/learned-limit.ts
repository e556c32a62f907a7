import type { Clock, Timer } from '@millrace/kit'
import { describeStats, monotonicClock } from '@millrace/kit'
import {
  TOKEN_BUCKET_STATS_KINDS,
  TokenBucket,
  type TokenBucketOptions,
  type TokenBucketStats,
} from '../bucket/token-bucket.ts'
import type { AcquireOptions, Admission } from '../wait/acquire-options.ts'
import { type HeadersLike, parseRateLimitHeaders, type ServerLimit } from './rate-limit-headers.ts'

export interface LearnedLimitStats extends TokenBucketStats {
  /** Responses that said something about limits. */
  observed: number
  /** 1 while the rate is below the configured one, else 0. */
  slowed: number
}

/** What a server asks to wait is believed up to a day: one answer that makes no sense must not keep a client out until it is started anew. */
const LONGEST_PAUSE = 86_400_000

/** A token a day, per second; and as slow as a bucket of so many tokens can be. */
const SLOWEST = 1_000 / LONGEST_PAUSE
const SLOWEST_PER_TOKEN = 2e-12

/** Below this share of a server's quota the rest of it is spread over the time until it is reset. */
const SCARCE = 0.2

/** How fast to go for a while, by one of the server's limits. */
interface Pace {
  /** Per second. */
  readonly rate: number
  /** Ms on the clock. */
  readonly until: number
  readonly limit: string | undefined
  /** Whether it is the rate of the policy, at which the limit always has some left: that is no reason to go faster. */
  readonly steady: boolean
}

const FREE: Pace = { rate: Infinity, until: -Infinity, limit: undefined, steady: false }

/** By so much, in ms, the end of a time in whole seconds is later than it was meant. */
const ROUNDING = 1_000

/**
 * A client's limit that learns from the server's: give it every response. It never has more tokens than the server has
 * left, stretches the last fifth of a quota over the time until it is reset, goes at the rate of the policy once it is used up, and pauses
 * for `Retry-After`, for a day at most. It never exceeds the configured rate.
 */
export class LearnedLimit {
  readonly #bucket: TokenBucket
  readonly #clock: Clock
  readonly #rate: number
  readonly #burst: number
  #restore: Timer | undefined = undefined
  #pace: Pace = FREE
  #observed = 0
  #closed = false

  constructor(options: TokenBucketOptions) {
    this.#bucket = new TokenBucket({ name: 'learned-limit', ...options })
    const { rate, burst = Math.max(1, rate), clock = monotonicClock } = options
    this.#clock = clock
    this.#rate = rate
    this.#burst = burst
  }

  /** As {@link TokenBucket.acquire}. */
  acquire(options?: AcquireOptions): Promise<Admission> {
    return this.#bucket.acquire(options)
  }

  /** As {@link TokenBucket.tryAcquire}. */
  tryAcquire(cost?: number): boolean {
    return this.#bucket.tryAcquire(cost)
  }

  /** Learns from the headers of a response; of one that a cache has kept, nothing: its limits are not the present ones. */
  observe(headers: HeadersLike): void {
    const { limits: all, retryAfter: told, stored } = parseRateLimitHeaders(headers)
    if (stored || this.#closed) return
    // Bytes or open requests are no rate of requests.
    const limits = all.filter(({ unit }) => unit === undefined)
    // `Retry-After` is rounded up to whole seconds; less than one is what the other field says.
    const soon = limits.some(({ remaining, resetAfter }) => remaining === 0 && resetAfter === 0)
    const retryAfter = soon && told !== undefined && told <= 1_000 ? 0 : told
    if (limits.length === 0 && retryAfter === undefined) return
    this.#observed++
    this.#follow(limits, retryAfter)
    for (const { remaining } of limits) if (remaining !== undefined) this.#bucket.cap(remaining)
    if (retryAfter !== undefined) this.#pause(retryAfter)
  }

  stats(): LearnedLimitStats {
    const slowed = this.#restore !== undefined && this.#pace.rate < this.#rate ? 1 : 0
    return { ...this.#bucket.stats(), observed: this.#observed, slowed }
  }

  /** As {@link TokenBucket.close}; nothing is learned from now on. */
  close(): void {
    this.#closed = true
    this.#restore?.cancel()
    this.#bucket.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @param retryAfter where there is one it says when to come again, not the limits' resets */
  #follow(limits: readonly ServerLimit[], retryAfter: number | undefined): void {
    const now = this.#clock.now()
    const held = now < this.#pace.until ? this.#pace : FREE
    let pace = FREE
    let pause = 0
    for (const limit of limits) {
      const { name, remaining, resetAfter = 0, window = 0 } = limit
      const own = name === held.limit
      // What recovers before it should be reset comes back all the time: that of a bucket or of a window that slides.
      const recovers = own && !held.steady && now < held.until - ROUNDING
      const scarce = isScarce(limit)
      if (!scarce && !recovers) continue
      if (remaining === 0) pause = Math.max(pause, resetAfter)
      const steady = remaining === 0 || !scarce || (own && held.steady)
      const rate = steady ? policyRate(limit) : rateOf(limit)
      // Of several limits the one that gives least rules.
      if (rate >= pace.rate) continue
      const span = steady ? resetAfter + window : resetAfter || window
      pace = { rate, until: now + Math.min(span, LONGEST_PAUSE), limit: name, steady }
    }
    const rules = pace.rate <= held.rate || pace.limit === held.limit
    if (rules || !held.steady) this.#keepTo(pace)
    if (retryAfter === undefined && pause > 0) this.#pause(pause)
  }

  #keepTo(pace: Pace): void {
    this.#restore?.cancel()
    this.#restore = undefined
    this.#pace = pace
    this.#setRate(pace.rate)
    if (pace === FREE) return
    this.#restore = this.#clock.setTimer(() => this.#keepTo(FREE), pace.until - this.#clock.now())
  }

  #pause(ms: number): void {
    this.#bucket.pause(Math.min(ms, LONGEST_PAUSE))
  }

  #setRate(asked: number): void {
    const slowest = Math.max(SLOWEST, SLOWEST_PER_TOKEN * this.#burst)
    const rate = Math.min(this.#rate, Math.max(asked, slowest))
    if (this.#bucket.stats().rate !== rate) this.#bucket.setLimits({ rate, burst: this.#burst })
  }
}

/** Whether little of a quota is left. */
function isScarce({ remaining, quota }: ServerLimit): boolean {
  if (remaining === undefined) return false
  return quota === undefined ? remaining === 0 : remaining < SCARCE * quota
}

/** What a policy gives per second; Infinity where it does not tell. */
function policyRate({ quota, window }: ServerLimit): number {
  return quota && window ? (quota * 1_000) / window : Infinity
}

/**
 * What a scarce limit gives per second: what is left until it is reset; where more comes within a second, of which the field cannot say how
 * soon, what its policy does.
 */
function rateOf(limit: ServerLimit): number {
  const { remaining = 0, resetAfter = 0 } = limit
  const steady = policyRate(limit)
  if (resetAfter === 0) return steady
  const stretched = (remaining * 1_000) / resetAfter
  return resetAfter <= ROUNDING && steady < Infinity ? Math.max(stretched, steady) : stretched
}

describeStats<LearnedLimitStats>(LearnedLimit.prototype, {
  ...TOKEN_BUCKET_STATS_KINDS,
  observed: 'counter',
  slowed: 'gauge',
})
