import { InvalidOptionError } from '../errors.ts'
import { count, onlyKnown, ratio, wait } from '../options/check.ts'
import { LatencyWindow } from './latency-window.ts'

/** Sending a slow request a second time, and taking whichever answer comes first. */
export interface HedgeOptions {
  /**
   * Share of additional requests, which sets the delay: with 0.05 a second attempt goes out once a request
   * has taken longer than 95 % of those of its host. Default 0.05, above 0 and at most 0.5.
   */
  extra?: number
  /** Never earlier than this, in ms. Default 1. */
  minDelay?: number
  /** A fixed delay in ms, in place of the measured one. */
  delay?: number
  /** Answers of a host before it is hedged. Default 20. */
  minimumAnswers?: number
}

/** The resolved form of {@link HedgeOptions}. */
export interface HedgeSettings {
  readonly extra: number
  readonly minDelay: number
  readonly delay: number | undefined
  readonly minimumAnswers: number
}

const optionNames = [
  'extra',
  'minDelay',
  'delay',
  'minimumAnswers',
] as const satisfies readonly (keyof HedgeOptions)[]

const refresh = 3_000
/** Hedges that a quiet time can save up. */
const mostSaved = 10

export function resolveHedge(options: HedgeOptions): HedgeSettings {
  onlyKnown('hedge', options, optionNames)
  const extra = ratio('hedge.extra', options.extra, 0.05, 0, 0.5)
  if (extra === 0) throw new InvalidOptionError('hedge.extra', 'above 0', extra)
  return {
    extra,
    minDelay: wait('hedge.minDelay', options.minDelay, 1),
    delay: options.delay === undefined ? undefined : wait('hedge.delay', options.delay, 0),
    minimumAnswers: count('hedge.minimumAnswers', options.minimumAnswers, 20),
  }
}

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
    this.#latencies = new LatencyWindow(1 - settings.extra, refresh, settings.minimumAnswers)
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
    if (this.#budget < mostSaved) this.#budget += this.#settings.extra
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
