/** A source of time that can also wait. Tests give a virtual one. */
export interface Clock {
  /** Milliseconds since any fixed point; never steps back. */
  now(): number
  /** Calls back once, `delay` ms from now at the earliest that the host allows. */
  setTimer(callback: () => void, delay: number): Timer
}

/** A pending call of {@link Clock.setTimer}. */
export interface Timer {
  cancel(): void
}

class SystemTimer implements Timer {
  readonly #timeout: NodeJS.Timeout

  constructor(callback: () => void, delay: number) {
    this.#timeout = setTimeout(callback, delay)
    this.#timeout.unref()
  }

  cancel(): void {
    clearTimeout(this.#timeout)
  }
}

/** Monotonic system time; its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (callback, delay) => new SystemTimer(callback, delay),
}
