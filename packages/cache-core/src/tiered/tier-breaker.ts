import { checkInteger, checkOptions, checkPositive, type TimeSource } from '@millrace/kit'

/** When a store that fails is left alone. */
export interface TierBreakerOptions {
  /** Consecutive failures after which the store is left alone, at least 1. Default: 5. */
  readonly failures?: number | undefined
  /** ms for which it is left alone, above 0; then one call tries it. Default: 1,000. */
  readonly cooldown?: number | undefined
}

/** Consecutive failures open it; after the cooldown one call passes (half open) and decides. O(1). */
export class TierBreaker {
  readonly #clock: TimeSource
  readonly #limit: number
  readonly cooldown: number
  #failures = 0
  /** Until when calls are refused. */
  #until = -Infinity
  /** Whether a call is trying the store. */
  #trying = false
  /** Times it opened. */
  opened = 0

  /**
   * @param options `false`: never opens
   * @throws {InvalidOptionError}
   */
  constructor(clock: TimeSource, options: TierBreakerOptions | false) {
    if (options !== false) checkOptions('breaker', options, { failures: true, cooldown: true })
    const { failures = 5, cooldown = 1_000 } = options || {}
    this.#clock = clock
    this.#limit = options === false ? Infinity : checkInteger('breaker.failures', failures, 1)
    this.cooldown = checkPositive('breaker.cooldown', cooldown)
  }

  /** ms until a call may pass; 0 if one may now, which {@link settle} must then be called for. */
  enter(): number {
    if (this.#failures < this.#limit) return 0
    const rest = this.#until - this.#clock.now()
    if (rest > 0) return rest
    if (this.#trying) return this.cooldown
    this.#trying = true
    return 0
  }

  settle(success: boolean): void {
    this.#trying = false
    if (success) {
      this.#failures = 0
      return
    }
    this.#failures++
    if (this.#failures < this.#limit) return
    if (this.#failures === this.#limit) this.opened++
    this.#until = this.#clock.now() + this.cooldown
  }
}
