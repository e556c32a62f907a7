import { callRate, type TimedSeries } from '../report/timing-report.ts'

interface Candidate {
  readonly timed: TimedSeries
  readonly rate: number
}

/** The timings with the highest rates, and the totals and the busiest of those that the charts are about. */
export class Busiest {
  calls = 0
  failures = 0
  readonly #most: number
  readonly #now: number
  readonly #operation: string | undefined
  /** Sorted, the busiest first. */
  readonly #candidates: Candidate[] = []
  #first: Candidate | undefined

  /** @param operation name of the timing that the charts are about; undefined = all */
  constructor(most: number, now: number, operation: string | undefined) {
    this.#most = most
    this.#now = now
    this.#operation = operation
  }

  /** O(1) for one that is not among them, O(most) else. */
  add(timed: TimedSeries): void {
    const candidates = this.#candidates
    const rate = callRate(timed, this.#now)
    if (this.#operation === undefined || timed.durations.description.name === this.#operation) {
      this.calls += timed.series.count
      this.failures += timed.failures
      if (this.#first === undefined || rate > this.#first.rate) this.#first = { timed, rate }
    }
    if (candidates.length === this.#most) {
      if (rate <= candidates.at(-1)!.rate) return
      candidates.pop()
    }
    let at = candidates.length
    while (at > 0 && candidates[at - 1]!.rate < rate) at--
    candidates.splice(at, 0, { timed, rate })
  }

  /** The busiest of those that the charts are about. */
  get first(): TimedSeries | undefined {
    return this.#first?.timed
  }

  timings(): TimedSeries[] {
    return this.#candidates.map(({ timed }) => timed)
  }
}
