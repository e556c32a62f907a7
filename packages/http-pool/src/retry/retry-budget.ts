import { RollingWindow } from '../time/rolling-window.ts'

const SPAN = 10_000
const REQUESTS = 0
const SPENT = 1

/**
 * How many retries and hedges a whole client may send: over the last ten seconds, a share of its requests
 * plus a floor. After Finagle's RetryBudget, with whole seconds for its leaky window. O(1) amortised.
 *
 * However many hosts fail at once, the client sends at most `1 + ratio` times its requests, plus the floor.
 */
export class RetryBudget {
  readonly #ratio: number
  readonly #reserve: number
  readonly #window = new RollingWindow(SPAN, 10, 2)

  constructor(ratio: number, floor: number) {
    this.#ratio = ratio
    this.#reserve = (floor * SPAN) / 1000
  }

  /** Whole retries left at `now`. */
  balance(now: number): number {
    return Math.max(0, Math.floor(this.#exactBalance(now)))
  }

  deposit(now: number): void {
    this.#window.add(REQUESTS, now)
  }

  /** Takes one retry of those that {@link balance} tells of. */
  withdraw(now: number): void {
    this.#window.add(SPENT, now)
  }

  #exactBalance(now: number): number {
    const window = this.#window
    // A tenth of a millionth forgives the rounding of sums of ratios.
    return window.sum(REQUESTS, now) * this.#ratio + this.#reserve - window.sum(SPENT, now) + 1e-7
  }
}
