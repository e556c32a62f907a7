/** A pending callback of a {@link Clock}. */
export interface Timer {
  /** Drops the callback if it has not run yet. Harmless afterwards. */
  cancel(): void
}

/** Where a registry gets its time from. Tests pass a virtual one. */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. */
  now(): number
  /** Runs `callback` once, `delay` milliseconds from now, without keeping the process alive. */
  setTimer(callback: () => void, delay: number): Timer
}

function setTimer(callback: () => void, delay: number): Timer {
  const handle = setTimeout(callback, delay)
  handle.unref()
  return { cancel: () => clearTimeout(handle) }
}

/** The wall clock. */
export const systemClock: Clock = { now: () => Date.now(), setTimer }

/**
 * The reading that durations are taken from, in milliseconds: monotonic and finer than a microsecond beside the
 * {@link systemClock}, and the clock itself where one was injected.
 */
export function stopwatch(clock: Clock): () => number {
  if (clock !== systemClock) return () => clock.now()
  const { performance } = globalThis
  return () => performance.now()
}
