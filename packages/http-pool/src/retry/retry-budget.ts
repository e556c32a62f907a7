const buckets = 10
const bucketDuration = 1000

/**
 * How many retries and hedges a whole client may send: over the last ten seconds, a share of its requests
 * plus a floor. After Finagle's RetryBudget, with whole seconds for its leaky window. O(1) amortised.
 *
 * However many hosts fail at once, the client sends at most `1 + ratio` times its requests, plus the floor.
 */
export class RetryBudget {
  readonly #ratio: number
  readonly #reserve: number
  readonly #requests = new Float64Array(buckets)
  readonly #spent = new Float64Array(buckets)
  #requestSum = 0
  #spentSum = 0
  #second = 0

  constructor(ratio: number, floor: number) {
    this.#ratio = ratio
    this.#reserve = (floor * buckets * bucketDuration) / 1000
  }

  /** Whole retries left at `now`. */
  balance(now: number): number {
    this.#advance(now)
    return Math.max(0, Math.floor(this.#exactBalance()))
  }

  deposit(now: number): void {
    this.#advance(now)
    this.#requests[this.#second % buckets]!++
    this.#requestSum++
  }

  /** Takes one retry, if there is one. */
  withdraw(now: number): boolean {
    this.#advance(now)
    // A tenth of a millionth forgives the rounding of sums of ratios.
    if (this.#exactBalance() < 1 - 1e-7) return false
    this.#spent[this.#second % buckets]!++
    this.#spentSum++
    return true
  }

  #exactBalance(): number {
    return this.#requestSum * this.#ratio + this.#reserve - this.#spentSum
  }

  #advance(now: number): void {
    const second = Math.floor(now / bucketDuration)
    if (second === this.#second) return
    const passed = Math.min(second - this.#second, buckets)
    for (let i = 0; i < passed; i++) {
      const index = (second - i) % buckets
      this.#requestSum -= this.#requests[index]!
      this.#spentSum -= this.#spent[index]!
      this.#requests[index] = 0
      this.#spent[index] = 0
    }
    this.#second = second
  }
}
