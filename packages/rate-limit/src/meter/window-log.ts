import { checkInteger, checkPositive } from '@millrace/kit'
import type { Meter } from './meter.ts'

/**
 * Exact sliding window: the times of the last `limit` permits in a ring. A permit may pass when the one `limit` before it
 * has left the window. 8 bytes per permit of the limit; O(cost), and costs are rounded up to whole permits.
 */
export class WindowLog implements Meter {
  readonly maxCost: number
  readonly #window: number
  /** Ascending from `#oldest` on; -Infinity where nothing was granted. */
  readonly #times: Float64Array
  #oldest = 0

  constructor(limit: number, window: number) {
    this.maxCost = checkInteger('limit', limit, 1)
    this.#window = checkPositive('window', window)
    this.#times = new Float64Array(limit).fill(-Infinity)
  }

  canTake(cost: number, now: number): boolean {
    return cost === 0 || this.#at(Math.ceil(cost) - 1) <= now - this.#window
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
    return laps === 0 ? due : Math.max(due, now) + laps * this.#window
  }

  take(cost: number, now: number): void {
    for (let i = 0; i < cost; i++) {
      this.#times[this.#oldest] = now
      this.#oldest = this.#oldest + 1 < this.maxCost ? this.#oldest + 1 : 0
    }
  }

  /**
   * Takes the oldest permits out of the window, whichever are given back: what remains is never older than what is
   * still in use, so that a refund lets no call through too early.
   */
  refund(cost: number, now: number): void {
    const whole = Math.floor(cost)
    const first = this.maxCost - this.#used(now)
    for (let i = 0; i < whole && first + i < this.maxCost; i++) {
      this.#times[(this.#oldest + first + i) % this.maxCost] = -Infinity
    }
  }

  available(now: number): number {
    return this.maxCost - this.#used(now)
  }

  pace(): number {
    return this.#window
  }

  resetAfter(now: number): number {
    return Math.max(0, this.#at(this.maxCost - 1) + this.#window - now)
  }

  /** The time of the permit that is `position` places from the oldest. */
  #at(position: number): number {
    const index = this.#oldest + position
    return this.#times[index < this.maxCost ? index : index - this.maxCost]!
  }

  /** How many permits are in the window; binary search. */
  #used(now: number): number {
    const start = now - this.#window
    let low = 0
    let high = this.maxCost
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#at(middle) <= start) low = middle + 1
      else high = middle
    }
    return this.maxCost - low
  }
}
