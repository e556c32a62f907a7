import type { Clock, Timer } from '@millrace/kit'
import { describeStats } from '@millrace/kit'
import {
  TOKEN_BUCKET_STATS_KINDS,
  TokenBucket,
  type TokenBucketOptions,
  type TokenBucketStats,
} from '../bucket/token-bucket.ts'
import { backgroundClock, systemClock } from '../clock.ts'
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

/**
 * A client's limit that learns from the server's: give it every response. It never has more tokens than the server has
 * left, stretches the last fifth of a quota over the time until it is reset, and pauses for `Retry-After`, for a day at most. It never
 * exceeds the configured rate.
 */
export class LearnedLimit {
  readonly #bucket: TokenBucket
  readonly #clock: Clock
  readonly #rate: number
  readonly #burst: number
  #restore: Timer | undefined = undefined
  #observed = 0
  #closed = false

  constructor(options: TokenBucketOptions) {
    this.#bucket = new TokenBucket({ name: 'learned-limit', ...options })
    const { rate, burst = Math.max(1, rate), clock = systemClock } = options
    this.#clock = backgroundClock(clock)
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
    // Of several limits the one that gives least rules.
    const scarcest = limits.reduce<ServerLimit | undefined>(
      (least, limit) => (least === undefined || rateOf(limit) < rateOf(least) ? limit : least),
      undefined,
    )
    if (scarcest !== undefined) this.#follow(scarcest, retryAfter)
    for (const { remaining } of limits) if (remaining !== undefined) this.#bucket.cap(remaining)
    if (retryAfter !== undefined) this.#pause(retryAfter)
  }

  stats(): LearnedLimitStats {
    const slowed = this.#restore === undefined ? 0 : 1
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

  /** @param retryAfter where there is one it says when to come again, not the limit's reset */
  #follow(limit: ServerLimit, retryAfter: number | undefined): void {
    const { remaining = Infinity, resetAfter = 0, quota, window } = limit
    const scarce = quota === undefined ? remaining === 0 : remaining < SCARCE * quota
    this.#restore?.cancel()
    this.#restore = undefined
    // Where more comes sooner than the field can say, it comes at the rate of the policy.
    const steady = resetAfter === 0 && quota && window ? (quota * 1_000) / window : undefined
    if (!scarce || (resetAfter === 0 && steady === undefined)) {
      this.#setRate(this.#rate)
      return
    }
    this.#setRate(Math.min(this.#rate, steady ?? (rateOf(limit) || this.#rate)))
    if (remaining === 0 && retryAfter === undefined) this.#pause(resetAfter)
    this.#restore = this.#clock.setTimer(
      () => {
        this.#restore = undefined
        this.#setRate(this.#rate)
      },
      resetAfter === 0 ? window! : resetAfter,
    )
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

/** What a limit leaves per second until it is reset; Infinity for none. */
function rateOf(limit: ServerLimit | undefined): number {
  if (limit?.remaining === undefined || !limit.resetAfter) return Infinity
  return (limit.remaining * 1_000) / limit.resetAfter
}

describeStats<LearnedLimitStats>(LearnedLimit.prototype, {
  ...TOKEN_BUCKET_STATS_KINDS,
  observed: 'counter',
  slowed: 'gauge',
})
