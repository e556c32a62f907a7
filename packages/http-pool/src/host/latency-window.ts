/** Buckets of 5 % each from 50 us on: the last one begins at 3.6 hours. */
const BUCKETS = 400
const LEAST = 0.05
const GROWTH = Math.log(1.05)

/**
 * Latencies of the recent past in exponential buckets, and one quantile of them, which is computed anew
 * every `refresh` ms and not per request. What was counted before a refresh counts half afterwards. O(1) to
 * add; relative error of the quantile at most 5 %.
 */
export class LatencyWindow {
  readonly #quantile: number
  readonly #refresh: number
  readonly #minimum: number
  readonly #counts = new Float64Array(BUCKETS)
  #total = 0
  #refreshAt = 0
  #value: number | undefined

  /**
   * @param quantile the quantile wanted, from 0 to 1
   * @param refresh in ms
   * @param minimum latencies without which there is no quantile
   */
  constructor(quantile: number, refresh: number, minimum: number) {
    this.#quantile = quantile
    this.#refresh = refresh
    this.#minimum = minimum
  }

  record(latency: number, now: number): void {
    const index = latency <= LEAST ? 0 : Math.ceil(Math.log(latency / LEAST) / GROWTH)
    this.#counts[Math.min(index, BUCKETS - 1)]!++
    this.#total++
    if (now >= this.#refreshAt) this.#recompute(now)
  }

  /** In ms, at least as long as that share of the latencies, or undefined while there are too few. */
  get value(): number | undefined {
    return this.#value
  }

  #recompute(now: number): void {
    if (this.#total < this.#minimum) return
    this.#refreshAt = now + this.#refresh
    const counts = this.#counts
    const rank = this.#total * this.#quantile
    let below = 0
    let index = 0
    while (index < BUCKETS - 1) {
      below += counts[index]!
      if (below >= rank) break
      index++
    }
    this.#value = LEAST * Math.exp(index * GROWTH)
    let total = 0
    for (let i = 0; i < BUCKETS; i++) {
      counts[i]! /= 2
      total += counts[i]!
    }
    this.#total = total
  }
}
