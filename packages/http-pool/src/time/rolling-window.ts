/**
 * Counts over a recent span of time: a ring of buckets for each series, with running sums. O(1) amortised.
 * However long nothing was counted, what is older than the span is out when it is next looked at.
 */
export class RollingWindow {
  readonly #buckets: number
  readonly #bucketDuration: number
  readonly #counts: Float64Array
  readonly #sums: Float64Array
  #current = 0

  constructor(span: number, buckets: number, series: number) {
    this.#buckets = buckets
    this.#bucketDuration = span / buckets
    this.#counts = new Float64Array(buckets * series)
    this.#sums = new Float64Array(series)
  }

  add(series: number, now: number): void {
    this.#advance(now)
    this.#counts[series * this.#buckets + (this.#current % this.#buckets)]!++
    this.#sums[series]!++
  }

  sum(series: number, now: number): number {
    this.#advance(now)
    return this.#sums[series]!
  }

  clear(): void {
    this.#counts.fill(0)
    this.#sums.fill(0)
  }

  #advance(now: number): void {
    const bucket = Math.floor(now / this.#bucketDuration)
    if (bucket === this.#current) return
    const buckets = this.#buckets
    const passed = Math.min(bucket - this.#current, buckets)
    for (let i = 0; i < passed; i++) {
      for (let series = 0; series < this.#sums.length; series++) {
        const index = series * buckets + ((bucket - i) % buckets)
        this.#sums[series]! -= this.#counts[index]!
        this.#counts[index] = 0
      }
    }
    this.#current = bucket
  }
}
