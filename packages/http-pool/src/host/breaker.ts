import {
  checkAtLeast,
  checkIntegerOrInfinity,
  checkPositive,
  checkRange,
  type OptionRules,
  type Resolved,
  withDefault,
} from '@millrace/kit'
import { RollingWindow } from '../time/rolling-window.ts'

/** When a host that fails is left alone. */
export interface HttpBreakerOptions {
  /** Failed attempts in a row that open the breaker, whatever the ratio; at least 1. Default: Infinity, the ratio alone. */
  readonly failures?: number | undefined
  /** How long it stays open the first time, in ms; doubles with every further time. Default: 5,000 */
  readonly cooldown?: number | undefined
  /** Longest time that it stays open, in ms. Default: 60,000 */
  readonly maxCooldown?: number | undefined
  /** Share of failed attempts that opens the breaker, from 0.001 to 1. Default: 0.5 */
  readonly failureRatio?: number | undefined
  /** Attempts within the window below which the ratio does not open it. Default: 20 */
  readonly minimumAttempts?: number | undefined
  /** Length of time that the ratio is taken over, in ms, at least 1. Default: 10,000 */
  readonly window?: number | undefined
}

/** The resolved form of {@link HttpBreakerOptions}. */
export type BreakerSettings = Resolved<HttpBreakerOptions>

/**
 * - `closed`: all attempts pass
 * - `open`: none does
 * - `half-open`: one at a time until one succeeds, then a share that doubles step by step
 */
export type BreakerState = 'closed' | 'open' | 'half-open'

const ATTEMPTS = 0
const FAILURES = 1
const FIRST_SHARE = 0.05
/** Steps of the ramp in one `cooldown`. */
const STEPS_PER_COOLDOWN = 5

export const BREAKER_RULES: OptionRules<HttpBreakerOptions> = {
  failures: withDefault(Infinity, checkIntegerOrInfinity, 1),
  cooldown: withDefault(5_000, checkPositive),
  maxCooldown: withDefault(60_000, checkPositive),
  failureRatio: withDefault(0.5, checkRange, 0.001, 1),
  minimumAttempts: withDefault(20, checkIntegerOrInfinity, 1),
  window: withDefault(10_000, checkAtLeast, 1),
}

/**
 * Stops sending to one host while most attempts fail, and comes back by degrees: first one probe at a time,
 * then 5 % of the attempts, 10 %, 20 %, …, so that a host which has just recovered is not met by all its
 * clients at once. A failed return keeps it open for twice as long, with jitter.
 */
export class Breaker {
  readonly #settings: BreakerSettings
  readonly #random: () => number
  readonly #window: RollingWindow
  #state: BreakerState = 'closed'
  #openUntil = 0
  #cooldown: number
  #share = 0
  #nextStep = 0
  #probes = 0
  /** Failures since the last success. */
  #failuresInRow = 0
  /** How often it has opened. */
  opened = 0

  constructor(settings: BreakerSettings, random: () => number) {
    this.#settings = settings
    this.#random = random
    this.#window = new RollingWindow(settings.window, 10, 2)
    this.#cooldown = settings.cooldown
  }

  get state(): BreakerState {
    return this.#state
  }

  /**
   * Whether an attempt may go out now. If so, `succeeded`, `failed` or `ignored` must follow, with the count
   * {@link opened} of this moment: an attempt from before the last opening is neither a probe nor news.
   */
  admit(now: number): boolean {
    if (this.#state === 'closed') return true
    if (this.#state === 'open') {
      if (now < this.#openUntil) return false
      this.#state = 'half-open'
      this.#share = 0
      this.#probes = 0
      this.#window.clear()
    }
    if (this.#share === 0) {
      if (this.#probes > 0) return false
    } else {
      this.#ramp(now)
      if ((this.#state as BreakerState) === 'half-open' && this.#random() >= this.#share)
        return false
    }
    this.#probes++
    return true
  }

  /** Whether an attempt would be refused, without asking for one. */
  refuses(now: number): boolean {
    return this.#state === 'open' && now < this.#openUntil
  }

  /** In ms, when to ask again. */
  retryAfter(now: number): number {
    return this.#state === 'open' ? Math.max(0, this.#openUntil - now) : 0
  }

  succeeded(now: number, opened: number = this.opened): void {
    if (opened !== this.opened) return
    this.#leave()
    this.#failuresInRow = 0
    this.#window.add(ATTEMPTS, now)
    if (this.#state === 'half-open' && this.#share === 0) {
      this.#share = FIRST_SHARE
      this.#nextStep = now + this.#stepDuration()
    }
  }

  failed(now: number, opened: number = this.opened): void {
    if (opened !== this.opened) return
    this.#leave()
    const window = this.#window
    window.add(ATTEMPTS, now)
    window.add(FAILURES, now)
    this.#failuresInRow++
    if (this.#state === 'open') return
    const { failures, failureRatio, minimumAttempts } = this.#settings
    const minimum = this.#state === 'half-open' ? Math.min(5, minimumAttempts) : minimumAttempts
    const total = window.sum(ATTEMPTS, now)
    const isProbe = this.#state === 'half-open' && this.#share === 0
    const fails = total >= minimum && window.sum(FAILURES, now) >= total * failureRatio
    if (isProbe || fails || this.#failuresInRow >= failures) this.#open(now)
  }

  /** The attempt ended without saying anything of the host: its caller aborted it. */
  ignored(opened: number = this.opened): void {
    if (opened === this.opened) this.#leave()
  }

  #leave(): void {
    if (this.#probes > 0) this.#probes--
  }

  #ramp(now: number): void {
    while (now >= this.#nextStep && this.#share < 1) {
      this.#share *= 2
      this.#nextStep += this.#stepDuration()
    }
    if (this.#share < 1) return
    this.#state = 'closed'
    this.#cooldown = this.#settings.cooldown
  }

  #open(now: number): void {
    this.opened++
    const again = this.#state === 'half-open'
    const { cooldown, maxCooldown } = this.#settings
    this.#cooldown = again ? Math.min(maxCooldown, this.#cooldown * 2) : cooldown
    this.#state = 'open'
    // Up to a quarter less, so that many clients do not come back together.
    this.#openUntil = now + this.#cooldown * (1 - 0.25 * this.#random())
    this.#window.clear()
    this.#failuresInRow = 0
  }

  #stepDuration(): number {
    return this.#settings.cooldown / STEPS_PER_COOLDOWN
  }
}
