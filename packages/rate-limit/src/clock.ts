import { type Clock, monotonicClock, setSystemTimer } from '@millrace/kit'

export type { Clock, Timer } from '@millrace/kit'

/**
 * The monotonic clock of the process, whose timers hold the process open, as a pending socket does: limiters set one only while a call
 * waits, and a script that awaits a permit must not end in the middle.
 */
export const systemClock: Clock = {
  now: monotonicClock.now,
  setTimer: (callback, delay) => setSystemTimer(callback, delay, true),
}

/** The same clock for what nothing awaits: its timers do not hold the process open. */
export function backgroundClock(clock: Clock): Clock {
  return clock === systemClock ? monotonicClock : clock
}
