/** A pending callback of a {@link Clock}. */
export interface Timer {
  /** Drops the callback if it has not run yet. Has no effect afterwards. */
  cancel(): void
  /** Makes the process wait for it, as of Node's timers. Absent where a process does not wait, as for a virtual clock. */
  ref?(): void
}

/** A source of time that can also wait. Tests pass a virtual one. */
export interface Clock {
  /** Present time in ms. What zero means, and whether it may step back, is up to the clock. */
  now(): number
  /** Runs `callback` once, at least `delay` ms from now, without keeping the process alive. */
  setTimer(callback: () => void, delay: number): Timer
}

/** The part of a {@link Clock} that code needs which only compares times. */
export type TimeSource = Pick<Clock, 'now'>

/** Longest delay in ms that Node's timers honour, 24.8 days; a longer one would fire at once. */
export const LONGEST_DELAY: number = 2 ** 31 - 1

/**
 * Runs `callback` once after `delay` ms: rounded up to whole ms, in several steps where Node's timers do not reach that far, never for
 * Infinity.
 *
 * @param ref whether the timer keeps the process alive. Default: false
 * @param onStep is given each of Node's timeouts as it is set, for code that clears them itself
 */
export function setSystemTimer(
  callback: () => void,
  delay: number,
  ref = false,
  onStep?: (timeout: NodeJS.Timeout) => void,
): Timer {
  let timeout: NodeJS.Timeout
  const set = (rest: number): void => {
    // Node cuts fractions off, which would make a timer early.
    const whole = Math.min(Math.ceil(rest), LONGEST_DELAY)
    timeout = setTimeout(whole < rest ? () => set(rest - whole) : callback, whole)
    if (!ref) timeout.unref()
    onStep?.(timeout)
  }
  set(delay)
  return {
    cancel: () => clearTimeout(timeout),
    ref() {
      ref = true
      timeout.ref()
    },
  }
}

const setTimer = (callback: () => void, delay: number): Timer => setSystemTimer(callback, delay)

/** ms since 1970. May step either way when the machine's time is set: for what is compared with other processes or with files. */
export const wallClock: Clock = { now: () => Date.now(), setTimer }

/**
 * A timer of the clock for a call that is awaited: it keeps the process alive where the clock is the system's, or made of it, so that
 * its caller is told how it ended.
 */
export function setAwaitedTimer(clock: Clock, callback: () => void, delay: number): Timer {
  const timer = clock.setTimer(callback, delay)
  timer.ref?.()
  return timer
}

/*
 * The cheapest reading of the monotonic clock with sub-millisecond resolution: in compiled code no BigInt comes to be, as it goes
 * straight into an array. Benchmark case: limiter "tryAcquire".
 */
const readNanoseconds: () => bigint = process.hrtime.bigint
const nanoseconds = new BigInt64Array(1)
const halves = new Uint32Array(nanoseconds.buffer)
/** Which half is the more significant one depends on the machine's byte order. */
nanoseconds[0] = 1n
const HIGH = halves[0]!
const LOW = 1 - HIGH
/** Zero is near, so that a double has room for nanoseconds. */
nanoseconds[0] = readNanoseconds()
const zeroHigh = halves[HIGH]!
const zeroLow = halves[LOW]!

function monotonic(): number {
  nanoseconds[0] = readNanoseconds()
  return ((halves[HIGH]! - zeroHigh) * 2 ** 32 + halves[LOW]! - zeroLow) * 1e-6
}

/** ms, fractions included, since the process loaded this module. Never steps back, whatever is done to the machine's time. */
export const monotonicClock: Clock = { now: monotonic, setTimer }
