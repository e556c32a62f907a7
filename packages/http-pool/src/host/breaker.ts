import { count, onlyKnown, ratio, span } from '../options/check.ts'
import { RollingWindow } from '../time/rolling-window.ts'

/** When a host that fails is left alone. */
export interface BreakerOptions {
  /** Share of failed attempts that opens the breaker, above 0 and at most 1. Default 0.5. */
  failureRatio?: number
  /** Attempts within the window below which it never opens. Default 20. */
  minimumAttempts?: number
  /** Span of time that is judged, in ms. Default 10,000. */
  window?: number
  /** How long it stays open the first time, in ms; doubles with every further time. Default 5,000. */
  openFor?: number
  /** Longest time that it stays open, in ms. Default 60,000. */
  maxOpenFor?: number
}

/** The resolved form of {@link BreakerOptions}. */
export interface BreakerSettings {
  readonly failureRatio: number
  readonly minimumAttempts: number
  readonly window: number
  readonly openFor: number
  readonly maxOpenFor: number
}

/**
 * - `closed`: all attempts pass
 * - `open`: none does
 * - `half-open`: one at a time until one succeeds, then a share that doubles step by step
 */
export type BreakerState = 'closed' | 'open' | 'half-open'

const attempts = 0
const failures = 1
const firstShare = 0.05
/** Steps of the ramp in one `openFor`. */
const stepsPerOpening = 5

const optionNames = [
  'failureRatio',
  'minimumAttempts',
  'window',
  'openFor',
  'maxOpenFor',
] as const satisfies readonly (keyof BreakerOptions)[]

export function resolveBreaker(options: BreakerOptions): BreakerSettings {
  onlyKnown('breaker', options, optionNames)
  return {
    failureRatio: ratio('breaker.failureRatio', options.failureRatio, 0.5, 0.001),
    minimumAttempts: count('breaker.minimumAttempts', options.minimumAttempts, 20),
    window: span('breaker.window', options.window, 10_000),
    openFor: span('breaker.openFor', options.openFor, 5_000),
    maxOpenFor: span('breaker.maxOpenFor', options.maxOpenFor, 60_000),
  }
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
  #openFor: number
  #share = 0
  #nextStep = 0
  #probes = 0
  /** How often it has opened. */
  opened = 0

  constructor(settings: BreakerSettings, random: () => number) {
    this.#settings = settings
    this.#random = random
    this.#window = new RollingWindow(settings.window, 10, 2)
    this.#openFor = settings.openFor
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
    this.#window.add(attempts, now)
    if (this.#state === 'half-open' && this.#share === 0) {
      this.#share = firstShare
      this.#nextStep = now + this.#stepDuration()
    }
  }

  failed(now: number, opened: number = this.opened): void {
    if (opened !== this.opened) return
    this.#leave()
    const window = this.#window
    window.add(attempts, now)
    window.add(failures, now)
    if (this.#state === 'open') return
    const { failureRatio, minimumAttempts } = this.#settings
    const minimum = this.#state === 'half-open' ? Math.min(5, minimumAttempts) : minimumAttempts
    const total = window.sum(attempts, now)
    const isProbe = this.#state === 'half-open' && this.#share === 0
    const fails = total >= minimum && window.sum(failures, now) >= total * failureRatio
    if (isProbe || fails) this.#open(now)
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
    this.#openFor = this.#settings.openFor
  }

  #open(now: number): void {
    this.opened++
    const again = this.#state === 'half-open'
    const { openFor, maxOpenFor } = this.#settings
    this.#openFor = again ? Math.min(maxOpenFor, this.#openFor * 2) : openFor
    this.#state = 'open'
    // Up to a quarter less, so that many clients do not come back together.
    this.#openUntil = now + this.#openFor * (1 - 0.25 * this.#random())
    this.#window.clear()
  }

  #stepDuration(): number {
    return this.#settings.openFor / stepsPerOpening
  }
}
