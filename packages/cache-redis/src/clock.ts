/** A pending callback of a {@link Clock}. */
export interface Timer {
  /** Drops the callback if it has not run yet. Harmless afterwards. */
  cancel(): void
}

/** Where time comes from. Tests pass a virtual one. */
export interface Clock {
  /** Present time, ms since 1970. */
  now(): number
  /** Runs `callback` once, `delay` ms from now, without keeping the process alive. */
  setTimer(callback: () => void, delay: number): Timer
}

/** The system's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(callback, delay) {
    const handle = setTimeout(callback, Math.min(delay, 2 ** 31 - 1))
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}
