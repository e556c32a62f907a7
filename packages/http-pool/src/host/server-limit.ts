import type { ServerQuota } from './rate-limit-fields.ts'

/** Share of the quota below which the rest is spread over the rest of the window. */
const PACED_SHARE = 0.2
/** A host cannot be shut out for longer than this, in ms, by what one of its responses said: no other would be asked for. */
const LONGEST_WAIT = 24 * 3_600_000
/** Two resets this close, in ms, belong to the same window: servers say whole seconds. */
const SAME_WINDOW = 1_500

/**
 * The limit of one host as its responses tell it. Never more than what is left is sent before the window
 * ends, and the last fifth is spread evenly over the rest of it.
 */
export class ServerLimit {
  #remaining = Infinity
  #resetAt = 0
  #limit: number | undefined
  #nextAt = 0
  #blockedUntil = 0

  /** In ms, when the next slot is; 0 is now. */
  delay(now: number): number {
    return Math.max(now, this.#blockedUntil, this.#nextSlot(now)) - now
  }

  /** Reserves the next slot. */
  take(now: number): void {
    if (now >= this.#resetAt) return
    if (this.#isPaced) {
      const at = Math.max(now, this.#nextAt)
      this.#nextAt = at + Math.max(0, this.#resetAt - at) / this.#remaining
    }
    this.#remaining--
  }

  /** Takes in what a response says. */
  learn(quota: ServerQuota, now: number): void {
    const resetAt = now + Math.min(quota.reset, LONGEST_WAIT)
    const isSameWindow = Math.abs(resetAt - this.#resetAt) < SAME_WINDOW
    // Responses come in any order, and requests under way are not in their count.
    this.#remaining = isSameWindow ? Math.min(this.#remaining, quota.remaining) : quota.remaining
    this.#resetAt = resetAt
    this.#limit = quota.limit ?? this.#limit
  }

  /** The host refused and said for how long. */
  block(duration: number, now: number): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, now + Math.min(duration, LONGEST_WAIT))
  }

  get #isPaced(): boolean {
    if (this.#limit === undefined || this.#remaining < 1) return false
    return this.#remaining < this.#limit * PACED_SHARE
  }

  #nextSlot(now: number): number {
    if (now >= this.#resetAt) return now
    if (this.#remaining < 1) return this.#resetAt
    return this.#isPaced ? this.#nextAt : now
  }
}
