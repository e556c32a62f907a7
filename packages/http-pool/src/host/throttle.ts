import { checkAtLeast, type OptionRules, type Resolved, withDefault } from '@millrace/kit'
import { RollingWindow } from '../time/rolling-window.ts'

/** Rejecting a share of the requests here while a host rejects them there. */
export interface ThrottleOptions {
  /** Requests sent per accepted one before any is rejected here; less is more cautious. At least 1. Default: 2 */
  readonly multiplier?: number | undefined
  /** Length of time that is judged, in ms. At least 1. Default: 120,000 */
  readonly window?: number | undefined
}

/** The resolved form of {@link ThrottleOptions}. */
export type ThrottleSettings = Resolved<ThrottleOptions>

const REQUESTS = 0
const ACCEPTS = 1
const BUCKETS = 120

export const THROTTLE_RULES: OptionRules<ThrottleOptions> = {
  multiplier: withDefault(2, checkAtLeast, 1),
  window: withDefault(120_000, checkAtLeast, 1),
}

/**
 * Client-side throttling (Google, "Site Reliability Engineering", chapter 21): with `requests` and `accepts`
 * of the last two minutes, a request is rejected locally with the probability
 * `max(0, (requests - multiplier * accepts) / (requests + 1))`. Those rejected here count as requests, so
 * that the share adapts at once; those under way do not yet, or a hundred that start together would be
 * taken for a hundred that were refused.
 */
export class Throttle {
  readonly #settings: ThrottleSettings
  readonly #random: () => number
  readonly #window: RollingWindow
  #underWay = 0
  /** Rejected here. */
  rejected = 0

  constructor(settings: ThrottleSettings, random: () => number) {
    this.#settings = settings
    this.#random = random
    this.#window = new RollingWindow(settings.window, BUCKETS, 2)
  }

  /** The probability with which the next request is rejected. */
  probability(now: number): number {
    const sent = this.#window.sum(REQUESTS, now) - this.#underWay
    const excess = sent - this.#settings.multiplier * this.#window.sum(ACCEPTS, now)
    return excess <= 0 ? 0 : excess / (sent + 1)
  }

  /** Whether a request may go out. If so, `settled` must follow. */
  admit(now: number): boolean {
    const probability = this.probability(now)
    this.#window.add(REQUESTS, now)
    if (probability === 0 || this.#random() >= probability) {
      this.#underWay++
      return true
    }
    this.rejected++
    return false
  }

  /** The outcome of a request: the host took it, or it did not. */
  settled(accepted: boolean, now: number): void {
    this.#underWay--
    if (accepted) this.#window.add(ACCEPTS, now)
  }
}
