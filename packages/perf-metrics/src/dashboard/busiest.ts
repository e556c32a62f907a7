import type { TimingReport } from '../report/performance-report.ts'

/** The timings with the highest rates, and the totals of all. */
export class Busiest {
  calls = 0
  failures = 0
  readonly #most: number
  /** Sorted, the busiest first. */
  readonly #timings: TimingReport[] = []

  constructor(most: number) {
    this.#most = most
  }

  /** O(1) for one that is not among them, O(most) else. */
  add(timing: TimingReport): void {
    this.calls += timing.count
    this.failures += timing.failures
    const timings = this.#timings
    if (timings.length === this.#most) {
      if (timing.rate <= timings.at(-1)!.rate) return
      timings.pop()
    }
    let at = timings.length
    while (at > 0 && timings[at - 1]!.rate < timing.rate) at--
    timings.splice(at, 0, timing)
  }

  timings(): readonly TimingReport[] {
    return this.#timings
  }
}
