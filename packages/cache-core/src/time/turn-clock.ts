import { type Clock, monotonicClock } from '@millrace/kit'

let turn = 0

function endTurn(): void {
  turn = 0
}

/**
 * Monotonic time, read once per run of synchronous code and kept until the microtasks after it: for caches whose entries expire and
 * whose reads come in bursts, as a reading of the clock costs more than the rest of a hit. Code that blocks for long within one run
 * may be served entries that expired during it.
 */
export const turnClock: Clock = {
  now() {
    if (turn === 0) {
      turn = monotonicClock.now()
      queueMicrotask(endTurn)
    }
    return turn
  },
  setTimer: monotonicClock.setTimer,
}
