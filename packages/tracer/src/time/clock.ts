import { type Clock, monotonicClock, setSystemTimer, type Timer } from '@millrace/kit'

/** Where a tracer reads time. Replace it to test time-dependent behaviour without waiting. */
export interface EpochClock extends Clock {
  /** Epoch milliseconds at which `now()` was zero. Default: zero, so that `now()` tells epoch milliseconds itself. */
  epoch?(): number
}

/** How far the wall clock may leave the monotonic one before exported times follow it, in milliseconds. */
const MAX_DRIFT = 5

const monotonic = monotonicClock.now

/**
 * Time from the monotonic clock, so that starts and ends have sub-millisecond resolution, anchored to the wall clock. The anchor
 * follows steps and drift of the wall clock (NTP, suspended machines).
 */
class SystemClock implements EpochClock {
  #epoch = wholeMicroseconds(performance.timeOrigin + performance.now() - monotonic())

  now(): number {
    return monotonic()
  }

  setTimer(callback: () => void, delay: number): Timer {
    return setSystemTimer(callback, delay)
  }

  epoch(): number {
    const before = monotonic()
    const wall = Date.now()
    const after = monotonic()
    // A process that had to wait for its turn between the readings would take the wait for drift. Date.now() has whole
    // milliseconds: what it tells is adopted only where it tells more than that rounding.
    if (after - before < 1 && Math.abs(wall - after - this.#epoch) > MAX_DRIFT) {
      this.#epoch = wholeMicroseconds(wall - after)
    }
    return this.#epoch
  }
}

/** Exporters turn an epoch into nanoseconds from its microseconds, as one double has no room for both. */
function wholeMicroseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000
}

/** The process's own clock; its timers do not keep the process alive. */
export const epochClock: Required<EpochClock> = new SystemClock()
