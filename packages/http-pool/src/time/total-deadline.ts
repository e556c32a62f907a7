import type { Clock } from '@millrace/kit'

/**
 * When the time of a call is over: all attempts, delays, redirects and look-ups included. One object for
 * the whole call; that of a shared response moves when a caller joins that has more time.
 */
export interface TotalDeadline {
  /** By the pool's clock. */
  at: number
  /** What the caller allowed, in ms. */
  timeout: number
}

const UNBOUNDED: TotalDeadline = Object.freeze({ at: Infinity, timeout: 0 })

/** @param timeout in ms; 0 means none */
export function totalDeadline(timeout: number, clock: Clock): TotalDeadline {
  return timeout === 0 ? UNBOUNDED : { at: clock.now() + timeout, timeout }
}
