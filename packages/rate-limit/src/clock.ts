import { endianness } from 'node:os'

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
  /**
   * Runs `callback` once, after `delay` ms. It may be up to 1 ms early, as Node's timers are: limiters look at the time then
   * and sleep on, so that nobody passes early.
   */
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

/*
 * The cheapest reading of the monotonic clock, which is most of what an uncontended permit costs: 32 ns, where
 * `performance.now()` takes 41. In compiled code no BigInt comes to be, as it goes straight into an array.
 */
const readNanoseconds: () => bigint = process.hrtime.bigint
const nanoseconds = new BigInt64Array(1)
const halves = new Uint32Array(nanoseconds.buffer)
/** Which half is the less significant one depends on the machine's byte order. */
const LOW = endianness() === 'LE' ? 0 : 1
const HIGH = 1 - LOW
/** Zero is near, so that a double has room for nanoseconds. */
nanoseconds[0] = readNanoseconds()
const zeroHigh = halves[HIGH]!
const zeroLow = halves[LOW]!

function monotonic(): number {
  nanoseconds[0] = readNanoseconds()
  return ((halves[HIGH]! - zeroHigh) * 2 ** 32 + halves[LOW]! - zeroLow) * 1e-6
}

/**
 * The monotonic clock of the process, in ms since it was first loaded.
 *
 * A limiter sets a timer only while somebody waits for it, so its timers hold the process open, as a pending socket
 * does: a script that awaits a permit must not end in the middle. The few that nobody awaits are unref'd.
 */
export const systemClock: Clock = {
  now: monotonic,
  setTimer: (callback, delay) => new SystemTimer(callback, delay),
}
