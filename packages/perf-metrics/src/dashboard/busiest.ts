import { callRate, type TimedSeries } from '../report/timing-report.ts'

interface Candidate {
  readonly timed: TimedSeries
  readonly rate: number
}

/** The timings with the highest rates, and the totals of all. */
export class Busiest {
  calls = 0
  failures = 0
  readonly #most: number
  readonly #now: number
  /** Sorted, the busiest first. */
  readonly #candidates: Candidate[] = []

  constructor(most: number, now: number) {
    this.#most = most
    this.#now = now
  }

  /** O(1) for one that is not among them, O(most) else. */
  add(timed: TimedSeries): void {
    this.calls += timed.series.count
    this.failures += timed.failures
    const candidates = this.#candidates
    const rate = callRate(timed, this.#now)
    if (candidates.length === this.#most) {
      if (rate <= candidates.at(-1)!.rate) return
      candidates.pop()
    }
    let at = candidates.length
    while (at > 0 && candidates[at - 1]!.rate < rate) at--
    candidates.splice(at, 0, { timed, rate })
  }

  timings(): TimedSeries[] {
    return this.#candidates.map(({ timed }) => timed)
  }
}
