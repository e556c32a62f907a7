import type { Families } from './select.ts'

/** What a rule found. */
export interface Finding {
  /** Whether the condition holds. `undefined`: there is too little to judge by, and nothing changes. */
  readonly holds: boolean | undefined
  /** The value judged: a quantile, a share, a slope per hour, a burn rate. */
  readonly value: number
  /** What it was compared with. */
  readonly limit: number
}

/** A rule with the memory it needs. */
export interface Evaluator {
  /** What the rule finds, or the steps to it where buckets are read, so that the caller can let others run. */
  evaluate(families: Families, now: number): Finding | Generator<void, Finding>
}

export const UNKNOWN: Finding = { holds: undefined, value: NaN, limit: NaN }
