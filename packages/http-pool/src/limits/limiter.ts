import { InvalidOptionError } from '@millrace/kit'

/**
 * What an attempt says about the load of its host, as an adaptive limit wants to know:
 * - `'success'`: it was answered
 * - `'dropped'`: its host has too much to do: 429, 503, or no answer in time
 * - `'ignored'`: nothing, such as when it was given up or its connection failed
 */
export type PermitOutcome = 'success' | 'dropped' | 'ignored'

/**
 * Anything that hands out permits: the limiters and the Semaphore of `@millrace/rate-limit`, or your own.
 * An attempt asks before it waits for a connection; so each retry and each hedge asks again.
 */
export interface Limiter {
  /**
   * Resolves when the attempt may go. A result with a method `release` is released when the attempt is over, with
   * the {@link PermitOutcome}.
   *
   * `timeout` is how long the attempt can wait at most, in ms, and absent if there is no bound.
   */
  acquire(options: {
    readonly signal: AbortSignal
    readonly timeout?: number | undefined
  }): PromiseLike<unknown>
  /** Spares the promise where a permit is free: a truthy result is a permit, a promise is awaited for one. */
  tryAcquire?(): unknown
}

/** @throws InvalidOptionError */
export function checkLimiter(option: string, limiter: Limiter, expected: string): Limiter {
  if (typeof limiter?.acquire !== 'function')
    throw new InvalidOptionError(option, expected, limiter)
  return limiter
}
