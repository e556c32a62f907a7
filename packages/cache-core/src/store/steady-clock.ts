import {
  type Clock,
  checkClock,
  monotonicClock,
  type Timer,
  type TimeSource,
  wallClock,
} from '@millrace/kit'

/** Adds up the forward movements of a clock, so that a step back costs what passed since the last reading and no more. */
class ForwardSource implements TimeSource {
  readonly #clock: TimeSource
  #last: number
  #total = 0

  constructor(clock: TimeSource) {
    this.#clock = clock
    this.#last = clock.now()
  }

  now(): number {
    const now = this.#clock.now()
    if (now > this.#last) this.#total += now - this.#last
    this.#last = now
    return this.#total
  }
}

/** A lead that grew by less, in ms, is a thread that was held up between two readings. */
const RESOLUTION = 100

/**
 * Time for what is persisted: ms since 1970 that never steps back. It goes on with the monotonic clock where the wall clock is set
 * back, follows it where it is set forward, and is at least any time that was met in the store, so that processes with different
 * ideas of the time measure the same lives. A hybrid logical clock without its counter (Kulkarni et al., 2014).
 *
 * Its **lead** is by how many ms it is ahead of the wall clock, as that was set back. Stores note it when it is noticed, so that processes
 * that are started later begin with it, and do not count the lives of what is stored from their own start.
 */
export class SteadyClock implements Clock {
  readonly #wall: Clock
  readonly #monotonic: TimeSource
  /** What is added to the monotonic time. Only grows. */
  #base = -Infinity
  /** The greatest lead that was told or is known from elsewhere. */
  #known = 0
  #onLead: ((lead: number) => void) | undefined

  /**
   * @param clock Default: the system's two clocks. One that is given is both, its steps back left out.
   * @throws {InvalidOptionError}
   */
  constructor(clock?: Clock | undefined) {
    if (clock !== undefined) checkClock('clock', clock)
    this.#wall = clock ?? wallClock
    this.#monotonic = clock === undefined ? monotonicClock : new ForwardSource(clock)
  }

  /** Whole ms, so that sums with times to live are exact. */
  now(): number {
    const monotonic = this.#monotonic.now()
    const base = this.#wall.now() - monotonic
    if (base > this.#base) this.#base = base
    else if (this.#base - base > this.#known + RESOLUTION) this.#notice(this.#base - base)
    return Math.floor(monotonic + this.#base)
  }

  /** Makes the time lead the wall clock by at least `lead` ms, as another process had noted. */
  follow(lead: number): void {
    this.#known = Math.max(this.#known, lead)
    if (lead > 0) this.reach(this.#wall.now() + lead)
  }

  /** Tells the one listener of each lead greater than those that are known, as soon as the time is read. */
  watchLead(onLead: (lead: number) => void): void {
    this.#onLead = onLead
  }

  /** The greatest lead that is known, in ms. */
  get lead(): number {
    return this.#known
  }

  /** Makes the time at least `time`, which another process, or this one before it was restarted, had already reached. */
  reach(time: number): void {
    const base = time - this.#monotonic.now()
    if (base > this.#base) this.#base = base
  }

  setTimer(callback: () => void, delay: number): Timer {
    return this.#wall.setTimer(callback, delay)
  }

  #notice(lead: number): void {
    this.#known = lead
    this.#onLead?.(lead)
  }
}
