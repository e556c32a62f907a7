import type { Timer } from '@millrace/kit'
import type { EpochClock } from './clock.ts'

/** Beyond this many ms from 1970 there are no dates. */
const LAST_DATE = 8.64e15

/**
 * A clock of the program's own, of which spans must not fail: while it throws or tells what is no time (NaN, Infinity, no number), the
 * time stands still.
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
    return this.#clock.setTimer(callback, delay)
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
