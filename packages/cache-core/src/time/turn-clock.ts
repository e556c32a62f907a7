import { type Clock, monotonicClock } from '@millrace/kit'

/**
 * Monotonic time, read once per run of synchronous code and kept until the microtasks after it: for caches whose entries expire and
 * whose reads come in bursts, as a reading of the clock costs more than the rest of a hit. Code that blocks for long within one run
 * may be served entries that expired during it. Microtasks, and callbacks of `process.nextTick`, that were queued when the clock was
 * read belong to the run: a fan-out of a hundred that each block for a millisecond ends with a reading that is 0.1 s old.
 */
export const turnClock: Clock = /* @__PURE__ */ makeTurnClock()

/** A function, so that bundles without it leave it out. */
function makeTurnClock(): Clock {
  let turn = 0
  const endTurn = (): void => {
    turn = 0
  }
  return {
    now() {
      if (turn === 0) {
        turn = monotonicClock.now()
        queueMicrotask(endTurn)
      }
      return turn
    },
    setTimer: monotonicClock.setTimer,
  }
}
