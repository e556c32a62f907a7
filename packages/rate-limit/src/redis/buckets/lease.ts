/** Consecutive slots reserved in the store: the first at `next`, one more each interval. */
interface Span {
  next: number
  left: number
  /** Ms per token. */
  readonly interval: number
  /** When it was received: before that none of its tokens grows old, though its time may be long past. */
  readonly since: number
}

/** Tokens reserved in advance for this process, each with the time from which it may be used. */
export class Lease {
  readonly #lifetime: number
  readonly #spans: Span[] = []
  /** Tokens not yet used, those to come included. */
  left = 0

  /** @param lifetime for how long a token may be kept after its time, in ms */
  constructor(lifetime: number) {
    this.#lifetime = lifetime
  }

  /**
   * @param next when the first may be used, ms on the local clock
   * @param interval ms per token
   */
  add(next: number, count: number, interval: number, now: number): void {
    this.#spans.push({ next, left: count, interval, since: now })
    this.left += count
  }

  /** When `count` tokens will be there; Infinity if so many are not held. */
  dueAt(count: number, now: number): number {
    this.#expire(now)
    let missing = count
    for (const { next, left, interval } of this.#spans) {
      if (missing <= left + TINY) {
        return missing > 0 ? next + Math.max(0, Math.ceil(missing - TINY) - 1) * interval : now
      }
      missing -= left
    }
    return missing > TINY ? Infinity : now
  }

  take(count: number): void {
    this.left = Math.max(0, this.left - count)
    let missing = count
    while (missing > 0 && this.#spans.length > 0) {
      const span = this.#spans[0]!
      const taken = Math.min(missing, span.left)
      span.left -= taken
      span.next += taken * span.interval
      missing -= taken
      if (span.left <= TINY) this.#spans.shift()
    }
    if (this.#spans.length === 0) this.left = 0
  }

  /** Gives up the tokens that come before a time, and returns how many. */
  drainBefore(time: number): number {
    let drained = 0
    for (let span = this.#spans[0]; span !== undefined && span.next < time; span = this.#spans[0]) {
      const early = Math.ceil((time - span.next) / span.interval - TINY)
      const count = Math.min(span.left, early)
      const rest = count < span.left
      this.take(count)
      drained += count
      if (rest) break
    }
    return drained
  }

  /** Gives up all tokens and returns how many. */
  drain(): number {
    const { left } = this
    this.#spans.length = 0
    this.left = 0
    return left
  }

  /** Drops tokens that were kept for too long, so that they cannot pile up to a burst. */
  #expire(now: number): void {
    const oldest = now - this.#lifetime
    for (let span = this.#spans[0]; span !== undefined; span = this.#spans[0]) {
      if (Math.max(span.next, span.since) >= oldest) return
      const dead = Math.min(span.left, Math.ceil((oldest - span.next) / span.interval))
      span.left -= dead
      span.next += dead * span.interval
      this.left -= dead
      if (span.left > 0) return
      this.#spans.shift()
    }
  }
}

/** Sums of fractional costs leave a rounding behind. */
const TINY = 1e-6
