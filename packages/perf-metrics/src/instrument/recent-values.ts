import type { SampleListener } from './sample-listener.ts'

/** Exact statistics of the last values of a histogram. `NaN` where there are none yet. */
export interface RecentStats {
  count: number
  mean: number
  min: number
  max: number
  p50: number
  p95: number
  p99: number
}

/** The last `capacity` values as they came: exact, where the last hundred matter more than the last quarter-hour. */
export class RecentValues implements SampleListener {
  readonly #values: Float64Array
  #recorded = 0

  constructor(capacity: number) {
    this.#values = new Float64Array(capacity)
  }

  record(value: number): void {
    this.#values[this.#recorded++ % this.#values.length] = value
  }

  clear(): void {
    this.#recorded = 0
  }

  /** O(n log n) in the number of values kept. */
  stats(): RecentStats {
    const count = Math.min(this.#recorded, this.#values.length)
    const sorted = this.#values.slice(0, count).sort()
    const at = (q: number): number => sorted[Math.max(0, Math.ceil(q * count) - 1)] ?? NaN
    return {
      count,
      mean: sorted.reduce((sum, value) => sum + value, 0) / count,
      min: at(0),
      max: at(1),
      p50: at(0.5),
      p95: at(0.95),
      p99: at(0.99),
    }
  }
}
