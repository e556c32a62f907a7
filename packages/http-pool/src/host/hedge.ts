import {
  checkIntegerOrInfinity,
  checkNonNegative,
  checkRange,
  type OptionRules,
  optional,
  type Resolved,
  withDefault,
} from '@millrace/kit'
import { LatencyWindow } from './latency-window.ts'

/** Sending a slow request a second time, and taking whichever answer comes first. */
export interface HedgeOptions {
  /**
   * Share of additional requests, which sets the delay: with 0.05 a second attempt goes out once a request
   * has taken longer than 95 % of those of its host. From 0.001 to 0.5. Default: 0.05
   */
  readonly extra?: number | undefined
  /** Never earlier than this, in ms. Default: 1 */
  readonly minDelay?: number | undefined
  /** A fixed delay in ms, in place of the measured one. Default: measured */
  readonly delay?: number | undefined
  /** Answers of a host before it is hedged. Default: 20 */
  readonly minimumAnswers?: number | undefined
}

/** The resolved form of {@link HedgeOptions}. */
export type HedgeSettings = Resolved<HedgeOptions, 'delay'>

export const HEDGE_RULES: OptionRules<HedgeOptions, HedgeSettings> = {
  extra: withDefault(0.05, checkRange, 0.001, 0.5),
  minDelay: withDefault(1, checkNonNegative),
  delay: optional(checkNonNegative),
  minimumAnswers: withDefault(20, checkIntegerOrInfinity, 1),
}

/** How often the delay is computed anew, in ms. */
const REFRESH = 3_000
/** Hedges that a quiet time can save up. */
const MOST_SAVED = 10

/**
 * Hedging for one host ("The Tail at Scale"; Finagle's BackupRequestFilter). Its own budget holds the share
 * of additional requests down even when the latencies change faster than the measured quantile.
 */
export class Hedge {
  readonly #settings: HedgeSettings
  readonly #latencies: LatencyWindow
  #budget = 0

  constructor(settings: HedgeSettings) {
    this.#settings = settings
    this.#latencies = new LatencyWindow(1 - settings.extra, REFRESH, settings.minimumAnswers)
  }

  /** In ms after which a second attempt goes out, or undefined if none does. */
  get delay(): number | undefined {
    const { delay, minDelay } = this.#settings
    if (delay !== undefined) return delay
    const measured = this.#latencies.value
    return measured === undefined ? undefined : Math.max(minDelay, measured)
  }

  /** Counts a request. */
  deposit(): void {
    if (this.#budget < MOST_SAVED) this.#budget += this.#settings.extra
  }

  /** Whether the budget holds a hedge. */
  get isAffordable(): boolean {
    // Sums of ratios are rounded.
    return this.#budget >= 1 - 1e-7
  }

  withdraw(): void {
    this.#budget--
  }

  /** Answers, time-outs and attempts that were overtaken; not fast failures, which would draw the delay down. */
  record(latency: number, now: number): void {
    this.#latencies.record(latency, now)
  }
}
