import type { ServerQuota } from './rate-limit-fields.ts'

/** Share of the quota below which the rest is spread over the rest of the window. */
const pacedShare = 0.2
/** A host cannot be shut out for longer than this, in ms, by what one of its responses said: no other would be asked for. */
const longestWait = 24 * 3_600_000
/** Two resets this close, in ms, belong to the same window: servers say whole seconds. */
const sameWindow = 1_500

/**
 * The limit of one host as its responses tell it. Never more than what is left is sent before the window
 * ends, and the last fifth is spread evenly over the rest of it.
 */
export class ServerLimit {
  #remaining = Number.POSITIVE_INFINITY
  #resetAt = 0
  #limit: number | undefined
  #nextAt = 0
  #blockedUntil = 0

  /** Reserves the next slot; in ms from now, when it is. 0 is now. */
  take(now: number): number {
    let at = Math.max(now, this.#blockedUntil)
    if (now < this.#resetAt) {
      if (this.#remaining < 1) at = Math.max(at, this.#resetAt)
      else at = Math.max(at, this.#pace(now))
      this.#remaining--
    }
    return at - now
  }

  /** Takes in what a response says. */
  learn(quota: ServerQuota, now: number): void {
    const resetAt = now + Math.min(quota.reset, longestWait)
    const isSameWindow = Math.abs(resetAt - this.#resetAt) < sameWindow
    // Responses come in any order, and requests under way are not in their count.
    this.#remaining = isSameWindow ? Math.min(this.#remaining, quota.remaining) : quota.remaining
    this.#resetAt = resetAt
    this.#limit = quota.limit ?? this.#limit
  }

  /** The host refused and said for how long. */
  block(duration: number, now: number): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, now + Math.min(duration, longestWait))
  }

  #pace(now: number): number {
    if (this.#limit === undefined || this.#remaining >= this.#limit * pacedShare) return now
    const at = Math.max(now, this.#nextAt)
    this.#nextAt = at + Math.max(0, this.#resetAt - at) / this.#remaining
    return at
  }
}
