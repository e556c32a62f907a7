import { type Clock, monotonicClock, type Timer, type TimeSource, wallClock } from '@millrace/kit'

/** A point in time. */
export interface Moment {
  /** ms since 1970, which may step either way. */
  readonly date: number
  /** ms from any origin, which never step back. */
  readonly elapsed: number
}

/**
 * The two times of a registry. {@link now} is for what lasts: windows, rates, retention, durations. It never steps back, whatever its
 * clock does. {@link date} is for what is exported, and steps whenever the machine's time is set.
 */
export class Timeline implements Clock {
  readonly #clock: Clock
  readonly #wall: TimeSource
  /** What the clock has stepped back so far. */
  #lost = 0
  #last = -Infinity
  /** The last date that was one. */
  #date = 0
  /** ms from any origin, for durations of calls: {@link now}, or the bare clock where that cannot step back. */
  readonly stopwatch: () => number

  /**
   * @param clock of durations and timers. Default: the monotonic clock
   * @param wall of dates. Default: `clock` where that is given, else the system's
   */
  constructor(clock?: Clock, wall?: TimeSource) {
    this.#clock = clock ?? monotonicClock
    this.#wall = wall ?? clock ?? wallClock
    this.stopwatch = clock === undefined ? monotonicClock.now : () => this.now()
  }

  /** ms from any origin; never less than before. Stands still while the clock tells what is no time. */
  now(): number {
    const told = this.#clock.now()
    if (!Number.isFinite(told)) return (this.#last = this.#last === -Infinity ? 0 : this.#last)
    const reading = told + this.#lost
    if (reading > this.#last) this.#last = reading
    else if (reading < this.#last) this.#lost += this.#last - reading
    return this.#last
  }

  /** ms since 1970. */
  date(): number {
    const date = this.#wall.now()
    // No format can say what is no number.
    return Number.isFinite(date) ? (this.#date = date) : this.#date
  }

  moment(): Moment {
    return { date: this.date(), elapsed: this.now() }
  }

  /** Runs `callback` once after `delay` ms, without keeping the process alive. */
  setTimer(callback: () => void, delay: number): Timer {
    return this.#clock.setTimer(callback, delay)
  }
}
