/** After this many doublings the delay between attempts grows no more: 32 times the first. */
const MOST_DOUBLINGS = 5

/** What loading remembers of one entry. Lives and goes with it. */
export class EntryDetail {
  /** ms on the clock from which on a read makes a new value load. */
  refreshAt: number
  /** ms on the clock before which no new attempt is made. */
  retryAt: number = -Infinity
  #failures = 0

  constructor(refreshAt: number) {
    this.refreshAt = refreshAt
  }

  /** A load failed at `now`: the next attempt waits, twice as long after each consecutive failure. */
  putOff(now: number, errorBackoff: number): void {
    this.retryAt = now + errorBackoff * 2 ** Math.min(this.#failures++, MOST_DOUBLINGS)
  }
}
