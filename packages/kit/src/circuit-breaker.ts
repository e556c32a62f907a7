import type { TimeSource } from './clock.ts'
import { checkIntegerOrInfinity, checkPositive } from './options/checks.ts'
import { nested, type OptionRule, withDefault } from './options/option-rules.ts'

/** When something that fails is left alone. */
export interface BreakerSettings {
  /** Failures in a row after which it is; Infinity for never. */
  readonly failures: number
  /** For how many ms. */
  readonly cooldown: number
}

/** The option of a breaker with these defaults: its options, `true` for all defaults, or `false` for none. */
export function breakerRule(failures: number, cooldown: number): OptionRule<BreakerSettings> {
  const settings = nested<BreakerSettings>({
    failures: withDefault(failures, checkIntegerOrInfinity, 1),
    cooldown: withDefault(cooldown, checkPositive),
  })
  return (option, given) =>
    given === false
      ? { failures: Infinity, cooldown }
      : settings(option, given === true ? undefined : given)
}

/**
 * - `closed`: calls go through
 * - `open`: calls are refused at once
 * - `half-open`: one call has gone through to find out; the others are refused
 */
export type BreakerState = 'closed' | 'open' | 'half-open'

/** Spares callers the wait for what has failed several times in a row, and spares that the calls. O(1). */
export class CircuitBreaker {
  /** ms for which it refuses calls at first. */
  readonly cooldown: number
  state: BreakerState = 'closed'
  /** How often it has opened. */
  opened = 0
  readonly #clock: TimeSource
  readonly #limit: number
  readonly #longest: number
  /** Failures since the last success. */
  #failures = 0
  #openUntil = 0
  #nextCooldown: number

  /** @param growth cooldowns up to which one is doubled each time the call that was let through fails too */
  constructor(clock: TimeSource, { failures, cooldown }: BreakerSettings, growth = 1) {
    this.#clock = clock
    this.#limit = failures
    this.cooldown = cooldown
    this.#longest = growth * cooldown
    this.#nextCooldown = cooldown
  }

  /** ms until a call may go through; 0 if one may now, of whose end {@link settle} must then be told. */
  enter(): number {
    if (this.state === 'closed') return 0
    if (this.state === 'half-open') return this.cooldown
    const rest = this.#openUntil - this.#clock.now()
    if (rest > 0) return rest
    this.state = 'half-open'
    return 0
  }

  /** How a call ended. */
  settle(success: boolean): void {
    if (success) {
      this.state = 'closed'
      this.#failures = 0
      this.#nextCooldown = this.cooldown
      return
    }
    this.#failures++
    if (this.state === 'open' || this.#failures < this.#limit) return
    this.state = 'open'
    this.opened++
    this.#openUntil = this.#clock.now() + this.#nextCooldown
    this.#nextCooldown = Math.min(2 * this.#nextCooldown, this.#longest)
  }
}
