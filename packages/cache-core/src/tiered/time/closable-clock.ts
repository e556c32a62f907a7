import { type Clock, monotonicClock, type Timer } from '@millrace/kit'

const NO_TIMER: Timer = { cancel() {} }

/** A clock whose timers end with it, for what leaves one running until the next use. */
export class ClosableClock implements Clock {
  readonly now: () => number
  readonly #clock: Clock
  readonly #timers = new Set<Timer>()
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
    // The system's clock needs no detour: reading it is most of what a hit with a time to live costs.
    this.now = clock === monotonicClock ? clock.now : () => clock.now()
  }

  setTimer(callback: () => void, delay: number): Timer {
    if (this.#closed) return NO_TIMER
    const timer = this.#clock.setTimer(() => {
      this.#timers.delete(timer)
      callback()
    }, delay)
    this.#timers.add(timer)
    return {
      cancel: () => {
        this.#timers.delete(timer)
        timer.cancel()
      },
      ...(timer.ref && { ref: () => timer.ref!() }),
    }
  }

  /** Cancels all timers, and every one that is set from now on. */
  close(): void {
    this.#closed = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }
}
