import { type BreakerSettings, breakerRule, type OptionRule } from '@millrace/kit'

/** When a store that fails is left alone. */
export interface BreakerOptions {
  /** Consecutive failures after which the store is left alone, at least 1. Default: 5. */
  readonly failures?: number | undefined
  /** ms for which it is left alone, above 0; then one call tries it. Default: 1,000. */
  readonly cooldown?: number | undefined
}

/** What a {@link BreakerOptions}, or `false`, comes to. */
export const tierBreaker: OptionRule<BreakerSettings> = breakerRule(5, 1_000)
