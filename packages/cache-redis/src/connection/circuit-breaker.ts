import type { Clock } from '@millrace/cache-core'
import { checkInteger, checkOptions, checkPositive, type OptionNames } from '@millrace/kit'

/** When calls stop being sent to a Redis that does not answer. */
export interface BreakerOptions {
  /** Consecutive failures after which the breaker opens, a positive integer. Default: 5 */
  readonly failures?: number | undefined
  /**
   * ms for which an opened breaker refuses everything, > 0; doubled, up to 20 times as many, each time the call let through after it fails too.
   * Default: 500
   */
  readonly cooldown?: number | undefined
}

/** Most of the doubled cooldown, in cooldowns. */
const LONGEST = 20

const NAMES: OptionNames<BreakerOptions> = { failures: true, cooldown: true }

/**
 * - `closed`: calls go through
 * - `open`: calls are refused at once
 * - `half-open`: one call has gone through to find out; the others are refused
 */
export type BreakerState = 'closed' | 'open' | 'half-open'

/** Spares callers the wait for a deadline, and a struggling server the calls, once several have failed in a row. */
export class CircuitBreaker {
  readonly #clock: Clock
  readonly #failures: number
  readonly #cooldown: number
  #state: BreakerState = 'closed'
  /** Failures since the last success. */
  #count = 0
  #openUntil = 0
  #nextCooldown: number
  /** How often it has opened. */
  opened = 0

  /** @throws {InvalidOptionError} */
  constructor(options: BreakerOptions, clock: Clock) {
    const { failures = 5, cooldown = 500 } = checkOptions('breaker', options, NAMES)
    checkInteger('breaker.failures', failures, 1)
    checkPositive('breaker.cooldown', cooldown)
    this.#clock = clock
    this.#failures = failures
    this.#cooldown = cooldown
    this.#nextCooldown = cooldown
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whether a call may go through now. A caller that gets `true` must report its outcome. */
  admit(): boolean {
    if (this.#state === 'closed') return true
    if (this.#state === 'half-open' || this.#clock.now() < this.#openUntil) return false
    this.#state = 'half-open'
    return true
  }

  /** A call was answered. */
  succeed(): void {
    this.#state = 'closed'
    this.#count = 0
    this.#nextCooldown = this.#cooldown
  }

  /** A call was not answered. */
  fail(): void {
    this.#count++
    if (this.#state === 'open') return
    if (this.#state === 'closed' && this.#count < this.#failures) return
    this.#state = 'open'
    this.opened++
    this.#openUntil = this.#clock.now() + this.#nextCooldown
    this.#nextCooldown = Math.min(this.#nextCooldown * 2, LONGEST * this.#cooldown)
  }
}
