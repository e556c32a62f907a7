import { setSystemTimer, type Timer } from '@millrace/kit'
import type { EpochClock } from './clock.ts'

/** Beyond this many ms from 1970 there are no dates. */
const LAST_DATE = 8.64e15

/**
 * A clock of the program's own, of which spans must not fail: while it throws or tells what is no time (NaN, Infinity, no number), the
 * time stands still; while it sets no timers, the system's do.
 */
export class GuardedClock implements EpochClock {
  readonly #clock: EpochClock
  #now = 0
  #epoch = 0

  constructor(clock: EpochClock) {
    this.#clock = clock
  }

  now(): number {
    return (this.#now = told(() => this.#clock.now()) ?? this.#now)
  }

  epoch(): number {
    return (this.#epoch = told(() => this.#clock.epoch?.() ?? 0) ?? this.#epoch)
  }

  setTimer(callback: () => void, delay: number): Timer {
    let setting = true
    let late = false
    const once = (): void => {
      if (!setting) callback()
      else late = true
    }
    const timer = attempt(() => this.#clock.setTimer(once, delay))
    setting = false
    // One that calls at once is none: what is done again and again would never end.
    if (late || typeof timer?.cancel !== 'function') return setSystemTimer(callback, delay)
    return {
      cancel: () => attempt(() => timer.cancel()),
      ref: () => attempt(() => timer.ref?.()),
    }
  }
}

/** What `call` returns; undefined where it throws, which costs no span. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch {
    return undefined
  }
}

function told(read: () => unknown): number | undefined {
  try {
    const time = read()
    return typeof time === 'number' && Math.abs(time) <= LAST_DATE ? time : undefined
  } catch {
    // Nothing is lost but the moment: a span that cannot be timed is recorded all the same.
    return undefined
  }
}
