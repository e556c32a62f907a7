/** A pending callback of a {@link Clock}. */
export interface Timer {
  /** Drops the callback if it has not run yet. Harmless afterwards. */
  cancel(): void
}

/** Where a cache gets its time from. Tests pass a virtual one. */
export interface Clock {
  /** Current time in milliseconds. Any origin will do, but it must never run backwards far. */
  now(): number
  /** Runs `callback` once, `delay` milliseconds from now, without keeping the process alive. */
  setTimer(callback: () => void, delay: number): Timer
}

/** The part of a {@link Clock} that code needs which only compares times. */
export type TimeSource = Pick<Clock, 'now'>

/** Longest delay `setTimeout` honours; beyond it Node fires at once. */
const LONGEST_DELAY = 2 ** 31 - 1

function setTimer(callback: () => void, delay: number): Timer {
  const handle = setTimeout(callback, Math.min(delay, LONGEST_DELAY))
  handle.unref()
  return { cancel: () => clearTimeout(handle) }
}

/**
 * Wall-clock time, read anew at every call, so that an expired entry is never served, not even by
 * code that blocks the event loop. One read costs about as much as a `Map` lookup.
 */
export const systemClock: Clock = { now: () => Date.now(), setTimer }

let turn = 0

function endTurn(): void {
  turn = 0
}

/**
 * Wall-clock time, read once per run of synchronous code and kept until the microtasks after it:
 * for caches whose entries expire and whose reads come in bursts, as a reading of the clock costs
 * as much as the rest of a hit. Code that blocks for long within one run may be served entries that
 * expired during it.
 */
export const turnClock: Clock = {
  now() {
    if (turn === 0) {
      turn = Date.now()
      queueMicrotask(endTurn)
    }
    return turn
  },
  setTimer,
}
