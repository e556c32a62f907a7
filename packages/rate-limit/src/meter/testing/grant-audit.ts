/** Number of buckets of the history. */
const BUCKETS = 60

/**
 * A limiter's record of its own grants, compared with its bound: no run of whole buckets may hold more than
 * `allowance + rate * length`. 60 buckets, O(1) to record, O(60²) to check on request.
 */
export class GrantAudit {
  readonly #width: number
  readonly #counts = new Float64Array(BUCKETS)
  #index = 0
  /** When the present bucket ends, in ms. */
  #end = -Infinity
  #worst = -Infinity

  /** @param width of one bucket in ms */
  constructor(width: number) {
    this.#width = width
  }

  record(cost: number, now: number): void {
    if (now >= this.#end) this.#rotate(now)
    this.#counts[this.#index]! += cost
  }

  /**
   * The most permits any stretch of the last minute's buckets, or one checked before, held beyond the bound; at most 0
   * when the bound was kept.
   *
   * @param allowance permits that may pass at once
   * @param perMs the rate, in permits per ms
   */
  overshoot(allowance: number, perMs: number): number {
    for (let first = 0; first < BUCKETS; first++) {
      let sum = 0
      for (let length = 1; length <= BUCKETS - first; length++) {
        sum += this.#counts[(this.#index + first + length) % BUCKETS]!
        const excess = sum - allowance - length * this.#width * perMs
        if (sum > 0 && excess > this.#worst) this.#worst = excess
      }
    }
    return Math.max(this.#worst, -allowance)
  }

  /** Forgets the history, as a new bound does not apply to it. */
  reset(): void {
    this.#counts.fill(0)
    this.#end = -Infinity
  }

  #rotate(now: number): void {
    const passed = Math.floor((now - this.#end) / this.#width) + 1
    if (!(passed < BUCKETS)) {
      this.#counts.fill(0)
      this.#end = now + this.#width
      return
    }
    for (let i = 0; i < passed; i++) {
      this.#index = (this.#index + 1) % BUCKETS
      this.#counts[this.#index] = 0
    }
    this.#end += passed * this.#width
  }
}
