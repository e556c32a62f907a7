import { checkInteger } from '@millrace/kit'
import { checkWindow, type WindowMeter } from './window-meter.ts'

/** So many times a log has room for at first. */
const FIRST_CAPACITY = 16

/**
 * Exact sliding window: the times of the last `limit` permits. A permit may pass when the one `limit` before it has left the window.
 * They are in a ring that grows to the most permits that were in the window at once: 8 bytes for each. O(cost), and costs are rounded
 * up to whole permits.
 */
export class WindowLog implements WindowMeter {
  readonly maxCost: number
  readonly #window: number
  /** Ascending from `#oldest` on; -Infinity where nothing was granted. */
  #times: Float64Array
  #oldest = 0
  #pausedUntil = -Infinity

  constructor(limit: number, window: number) {
    this.maxCost = checkInteger('limit', limit, 1)
    this.#window = checkWindow(window)
    this.#times = new Float64Array(Math.min(limit, FIRST_CAPACITY)).fill(-Infinity)
  }

  canTake(cost: number, now: number): boolean {
    if (cost === 0) return true
    return now >= this.#pausedUntil && this.#at(Math.ceil(cost) - 1) <= now - this.#window
  }

  tryTake(cost: number, now: number): boolean {
    if (!this.canTake(cost, now)) return false
    this.take(cost, now)
    return true
  }

  dueAt(cost: number, ahead: number, now: number): number {
    const position = Math.max(0, Math.ceil(ahead + cost) - 1)
    const laps = Math.floor(position / this.maxCost)
    const due = this.#at(position % this.maxCost) + this.#window
    const first = Math.max(due, this.#pausedUntil)
    return laps === 0 ? first : Math.max(first, now) + laps * this.#window
  }

  take(cost: number, now: number): void {
    for (let i = 0; i < cost; i++) {
      const { length } = this.#times
      if (length < this.maxCost && this.#times[this.#oldest]! > now - this.#window) this.#grow()
      this.#times[this.#oldest] = now
      this.#oldest = this.#oldest + 1 < this.#times.length ? this.#oldest + 1 : 0
    }
  }

  /**
   * Takes the oldest permits out of the window, whichever are given back, and as many as a cost has taken: what remains is never older than what is
   * still in use, so that a refund lets no call through too early.
   */
  refund(cost: number, now: number): void {
    const whole = Math.min(Math.ceil(cost), this.#used(now))
    const first = this.#times.length - this.#used(now)
    for (let i = 0; i < whole; i++) {
      this.#times[(this.#oldest + first + i) % this.#times.length] = -Infinity
    }
  }

  available(now: number): number {
    return now < this.#pausedUntil ? 0 : this.maxCost - this.#used(now)
  }

  pace(): number {
    return this.#window
  }

  resetAfter(now: number): number {
    const last = Math.max(this.#at(this.maxCost - 1) + this.#window, this.#pausedUntil)
    return Math.max(0, last - now)
  }

  pause(ms: number, now: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, now + ms)
  }

  clear(): void {
    this.#times.fill(-Infinity)
    this.#pausedUntil = -Infinity
  }

  /** The time of the permit that is `position` places from the oldest of the last `limit`. */
  #at(position: number): number {
    const { length } = this.#times
    // What the ring has no room for was granted before the window, or never.
    const place = position - this.maxCost + length
    if (place < 0) return -Infinity
    const index = this.#oldest + place
    return this.#times[index < length ? index : index - length]!
  }

  /** How many permits are in the window; binary search. */
  #used(now: number): number {
    const start = now - this.#window
    let low = this.maxCost - this.#times.length
    let high = this.maxCost
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (this.#at(middle) <= start) low = middle + 1
      else high = middle
    }
    return this.maxCost - low
  }

  #grow(): void {
    const { length } = this.#times
    const grown = new Float64Array(Math.min(this.maxCost, 2 * length)).fill(-Infinity)
    const room = grown.length - length
    grown.set(this.#times.subarray(this.#oldest), room)
    grown.set(this.#times.subarray(0, this.#oldest), room + length - this.#oldest)
    this.#times = grown
    this.#oldest = 0
  }
}
