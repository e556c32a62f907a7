const HOUR = 3_600_000
const DAY = 24 * HOUR
/** Weight of the latest interval in the means. */
const WEIGHT = 0.25
/** Intervals, and days, below which nothing is called a habit. */
const FEWEST = 3

/** When one key is used: its mean interval with the mean deviation from that, and on how many days it was used at each hour (UTC). */
export class Rhythm {
  readonly #first: number
  #last: number
  #intervals = 0
  #mean = 0
  #deviation = 0
  /** Made on the second day, as most keys do not live that long. */
  #days: Uint16Array | undefined
  /** The last hour that was counted, since 1970. */
  #hour: number

  constructor(now: number) {
    this.#first = now
    this.#last = now
    this.#hour = Math.floor(now / HOUR)
  }

  note(now: number): void {
    const gap = now - this.#last
    this.#last = now
    const hour = Math.floor(now / HOUR)
    if (hour !== this.#hour) this.#noteHour(hour)
    // Uses in the same moment are one, and a clock that was set back says nothing.
    if (gap <= 0) return
    if (++this.#intervals === 1) {
      this.#mean = gap
      return
    }
    const difference = gap - this.#mean
    this.#mean += WEIGHT * difference
    this.#deviation += WEIGHT * (Math.abs(difference) - this.#deviation)
  }

  /** How likely the next interval ends within `horizon` ms from `now`: less, the less regular they are. */
  dueWithin(now: number, horizon: number): number {
    if (this.#intervals < FEWEST) return 0
    const due = this.#last + this.#mean
    const slack = this.#deviation
    if (due + slack < now || due - slack > now + horizon) return 0
    return this.#mean / (this.#mean + 2 * this.#deviation)
  }

  /** On which share of the days it was used at this hour, or at the next one if that begins within `horizon` ms. */
  atHourOf(now: number, horizon: number): number {
    const days = this.#days
    const age = Math.floor((now - this.#first) / DAY)
    if (days === undefined || age < FEWEST) return 0
    const from = Math.floor(now / HOUR)
    // Of a key that is used in every hour the hour says nothing that the interval does not.
    const to = Math.min(Math.floor((now + horizon) / HOUR), from + 23)
    let most = 0
    for (let hour = from; hour <= to; hour++) {
      if (hour !== this.#hour) most = Math.max(most, days[hour % 24]!)
    }
    return Math.min(1, most / age)
  }

  #noteHour(hour: number): void {
    this.#days ??= new Uint16Array(24)
    // The hour in which it was met first, too.
    if (this.#days.every(count => count === 0)) this.#days[this.#hour % 24] = 1
    this.#hour = hour
    const at = hour % 24
    if (this.#days[at]! < 65_535) this.#days[at]!++
  }
}
