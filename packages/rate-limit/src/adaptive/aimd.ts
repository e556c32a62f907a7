import { checkOptions, checkPositive } from '@millrace/kit'
import { InvalidOptionError } from '../errors.ts'
import type { LimitAlgorithm, LoadSample } from './limit-algorithm.ts'

export interface AimdOptions {
  /** What the limit is multiplied by when calls are dropped; above 0 and below 1. Default: 0.9 */
  readonly backoff?: number | undefined
  /** A mean duration above this counts as a drop, in ms, above 0. Default: Infinity, none does */
  readonly timeout?: number | undefined
}

/**
 * Additive increase, multiplicative decrease: one more each window in which the limit was used, a tenth less when calls
 * were dropped. Needs drops to find the limit; where durations tell enough, use {@link Gradient}.
 */
export class Aimd implements LimitAlgorithm {
  readonly #backoff: number
  readonly #timeout: number

  constructor(options: AimdOptions = {}) {
    checkOptions('', options, { backoff: true, timeout: true })
    const { backoff = 0.9, timeout = Infinity } = options
    if (!(typeof backoff === 'number' && backoff > 0 && backoff < 1)) {
      throw new InvalidOptionError('backoff', 'a number above 0 and below 1', backoff)
    }
    this.#backoff = backoff
    this.#timeout = timeout === Infinity ? timeout : checkPositive('timeout', timeout)
  }

  update(limit: number, { rtt, inflight, dropped }: LoadSample): number {
    if (dropped || rtt > this.#timeout) return Math.floor(limit * this.#backoff)
    return 2 * inflight >= limit ? limit + 1 : limit
  }
}
