/** A pending callback of a {@link Clock}. */
export interface Timer {
  /** Forgets the callback. Does nothing once it has run. */
  cancel(): void
}

/** Where a tracer reads time. Replace it to test time-dependent behaviour without waiting. */
export interface Clock {
  /** Milliseconds, fractions included, on a scale that never runs backwards. */
  now(): number
  /** Calls `callback` once after `delay` milliseconds. The timer must not keep the process alive. */
  setTimer(callback: () => void, delay: number): Timer
  /** Epoch milliseconds at which `now()` was zero. Default: zero, so `now()` is the wall clock. */
  epoch?(): number
}

/** How far the wall clock may leave the monotonic one before exported times follow it, in milliseconds. */
const MAX_DRIFT = 5

/**
 * The cheapest reading of the monotonic clock with sub-millisecond resolution: 32 ns, where `performance.now()` takes 40 and the
 * system call alone 23. The BigInt never comes to be in compiled code, as it goes straight into an array.
 */
const readNanoseconds: () => bigint = process.hrtime.bigint
const nanoseconds = new BigInt64Array(1)
const words = new Uint32Array(nanoseconds.buffer)
/** Positions of the less and the more significant half, which depend on the machine's byte order. */
const LOW = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 0 : 1
const HIGH = 1 - LOW
const TWO_32 = 2 ** 32

/** The moment that is zero on the monotonic clock here: close to now, so that a double has room for nanoseconds. */
nanoseconds[0] = readNanoseconds()
const zeroHigh = words[HIGH]!
const zeroLow = words[LOW]!

/** Milliseconds since this module was loaded. */
function monotonic(): number {
  nanoseconds[0] = readNanoseconds()
  return ((words[HIGH]! - zeroHigh) * TWO_32 + words[LOW]! - zeroLow) * 1e-6
}

/**
 * Time from the monotonic clock, so that starts and ends have sub-millisecond resolution, anchored to the wall
 * clock. The anchor follows steps and drift of the wall clock (NTP, suspended machines) only between exports,
 * so a span's duration is always the monotonic one.
 */
class SystemClock implements Clock {
  #epoch = wholeMicroseconds(performance.timeOrigin + performance.now() - monotonic())

  now(): number {
    return monotonic()
  }

  setTimer(callback: () => void, delay: number): Timer {
    const timer = setTimeout(callback, delay)
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  }

  epoch(): number {
    const before = monotonic()
    const wall = Date.now()
    const after = monotonic()
    // A process that had to wait for its turn between the readings would take the wait for drift. Date.now() has whole
    // milliseconds: what it tells is adopted only where it tells more than that rounding.
    if (after - before < 1 && Math.abs(wall - after - this.#epoch) > MAX_DRIFT) {
      this.#epoch = wholeMicroseconds(wall - after)
    }
    return this.#epoch
  }
}

/** Exporters turn an epoch into nanoseconds from its microseconds, as one double has no room for both. */
function wholeMicroseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000
}

/** The process's own clock; its timers do not keep the process alive. */
export const systemClock: Required<Clock> = new SystemClock()
