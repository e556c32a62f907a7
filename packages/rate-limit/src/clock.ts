/** Handle of a timer set on a {@link Clock}. */
export interface Timer {
  /** Takes the timer back. Does nothing once it has run. */
  cancel(): void
  /** Lets the process end before the timer; for timers that nobody awaits. Clocks of tests need not have it. */
  unref?(): void
}

/** Where limiters read the time and have themselves woken; replaceable for tests and simulations. */
export interface Clock {
  /** The present reading in ms. It must not run backwards and may start anywhere. */
  now(): number
  /** Runs `callback` once, not before `delay` ms have passed. */
  setTimer(callback: () => void, delay: number): Timer
}

/** Beyond this `setTimeout` fires at once. Whoever waits longer looks at the clock again and sleeps on. */
const LONGEST_DELAY = 2 ** 31 - 1

class SystemTimer implements Timer {
  readonly #handle: NodeJS.Timeout

  constructor(callback: () => void, delay: number) {
    const whole = Math.min(Math.ceil(delay), LONGEST_DELAY)
    this.#handle = setTimeout(callback, whole)
  }

  cancel(): void {
    clearTimeout(this.#handle)
  }

  unref(): void {
    this.#handle.unref()
  }
}

/**
 * The monotonic clock of the process.
 *
 * A limiter sets a timer only while somebody waits for it, so its timers hold the process open, as a pending socket
 * does: a script that awaits a permit must not end in the middle. The few that nobody awaits are unref'd.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (callback, delay) => new SystemTimer(callback, delay),
}
