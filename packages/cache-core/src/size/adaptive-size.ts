import {
  asGiven,
  type Clock,
  checkClock,
  checkFunction,
  checkMethods,
  checkPositive,
  checkRange,
  InvalidOptionError,
  monotonicClock,
  type OptionRules,
  oneOf,
  optional,
  type Resolved,
  resolveOptions,
  type Timer,
  withDefault,
} from '@millrace/kit'
import type { Advice } from '../advise/advisor.ts'
import { tellListener } from '../tell-listener.ts'
import { repeat } from './repeat.ts'

/** A cache whose size can be changed: `Cache` is one. */
export interface SizableCache {
  stats(): { readonly hits: number; readonly misses: number }
  resize(limits: {
    readonly maxEntries?: number | undefined
    readonly maxBytes?: number | undefined
  }): void
  /** Estimates of other sizes, if the cache was made with `insight()`. */
  advise?(): Pick<Advice, 'estimates'>
}

/** Options of {@link AdaptiveSize}. */
export interface AdaptiveSizeOptions {
  /** Which limit is moved. Default: 'maxBytes'. */
  readonly limit?: 'maxBytes' | 'maxEntries' | undefined
  /** Size at the start, between the bounds. */
  readonly initial: number
  /** Smallest size, above 0. Default: 26,214,400 (25 MiB) for bytes, 64 for entries. */
  readonly min?: number | undefined
  /** Greatest size. Default: 157,286,400 (150 MiB) for bytes, 1,048,576 for entries. */
  readonly max?: number | undefined
  /** Fall of the hit rate at which it grows, 0 to 1. Default: 0.1. */
  readonly fall?: number | undefined
  /** Hit rate above which it shrinks, if that is stable, 0 to 1. Default: 0.95. */
  readonly high?: number | undefined
  /** ms between samples of the hit rate, above 0. Ten are compared with the ten before. Default: 60,000. */
  readonly interval?: number | undefined
  /** Told of each change. Default: none. */
  readonly onResize?: ((change: SizeChange) => void) | undefined
  /** Source of time. Default: `monotonicClock`. */
  readonly clock?: Clock | undefined
}

/** A change of size. */
export interface SizeChange {
  readonly from: number
  readonly to: number
  /** Hit rate of the last ten samples, and of the ten before. */
  readonly recent: number
  readonly before: number
}

type Settings = Resolved<AdaptiveSizeOptions, 'min' | 'max' | 'onResize'>

const OPTIONS: OptionRules<AdaptiveSizeOptions, Settings> = {
  limit: oneOf('maxBytes', 'maxEntries'),
  // Within bounds whose defaults depend on the limit.
  initial: asGiven,
  min: asGiven,
  max: asGiven,
  fall: withDefault(0.1, checkRange, 0, 1),
  high: withDefault(0.95, checkRange, 0, 1),
  interval: withDefault(60_000, checkPositive),
  onResize: optional(checkFunction<NonNullable<Settings['onResize']>>),
  clock: withDefault(monotonicClock, checkClock<Clock>),
}

const WINDOW = 10
const GROWTH = 1.2
const SHRINKAGE = 0.9
/** A hit rate is stable if it moves by less. */
const STABLE = 0.01
/** What twice the size must bring, or half of it cost at most, by the cache's own estimate. */
const WORTH = 0.01
/** Reads below which a sample says nothing. */
const FEWEST_READS = 20

/**
 * Moves a cache's limit with its hit rate: grows by a fifth when the rate of ten samples is 10 points below that of the ten before,
 * shrinks by a tenth when it is above 95 % and stable, within bounds. Where the cache has `insight()`, its estimates have the last word: it
 * does not grow where twice the size would bring less than a point, and does not shrink where half of it would cost more.
 */
export class AdaptiveSize {
  readonly #cache: SizableCache
  readonly #settings: Settings
  readonly #timer: Timer
  readonly #min: number
  readonly #max: number
  #samples: number[] = []
  #hits: number
  #misses: number
  #size: number

  /** @throws {InvalidOptionError} */
  constructor(cache: SizableCache, options: AdaptiveSizeOptions) {
    checkMethods('cache', cache, 'a cache', ['stats', 'resize'])
    const settings = resolveOptions('', options, OPTIONS)
    const bytes = settings.limit === 'maxBytes'
    const {
      initial,
      min = bytes ? 25 * 2 ** 20 : 64,
      max = bytes ? 150 * 2 ** 20 : 2 ** 20,
    } = settings
    this.#min = checkPositive('min', min)
    this.#max = checkRange('max', max, min, Number.MAX_SAFE_INTEGER)
    this.#size = checkRange('initial', initial, min, max)
    this.#cache = cache
    this.#settings = settings
    const { hits, misses } = cache.stats()
    this.#hits = hits
    this.#misses = misses
    this.#resize(initial)
    this.#timer = repeat(settings.clock, settings.interval, this as AdaptiveSize, sample)
  }

  /** The limit now. */
  get size(): number {
    return this.#size
  }

  /** Takes a sample and acts on it; runs by itself every `interval`. */
  sample(): void {
    const { hits, misses } = this.#cache.stats()
    const reset = hits < this.#hits || misses < this.#misses
    const newHits = reset ? hits : hits - this.#hits
    const reads = newHits + (reset ? misses : misses - this.#misses)
    this.#hits = hits
    this.#misses = misses
    if (reads < FEWEST_READS) return
    this.#samples.push(newHits / reads)
    if (this.#samples.length > 2 * WINDOW) this.#samples.shift()
    if (this.#samples.length === 2 * WINDOW) this.#decide()
  }

  /** Ends the sampling; the cache keeps its size. */
  close(): void {
    this.#timer.cancel()
  }

  /** As {@link close}. */
  [Symbol.dispose](): void {
    this.close()
  }

  #decide(): void {
    const before = mean(this.#samples.slice(0, WINDOW))
    const recent = mean(this.#samples.slice(WINDOW))
    const to = this.#target(before, recent)
    if (to === this.#size) return
    const from = this.#size
    this.#resize(to)
    // What follows is another cache's hit rate.
    this.#samples = []
    const { onResize } = this.#settings
    if (onResize !== undefined) {
      tellListener('onResize', () => onResize({ from, to, recent, before }))
    }
  }

  #target(before: number, recent: number): number {
    if (before - recent >= this.#settings.fall && this.#estimate(2) >= WORTH) {
      return Math.min(this.#max, Math.floor(this.#size * GROWTH))
    }
    const stable = Math.abs(recent - before) < STABLE
    if (recent > this.#settings.high && stable && this.#estimate(0.5) >= -WORTH) {
      return Math.max(this.#min, Math.floor(this.#size * SHRINKAGE))
    }
    return this.#size
  }

  /** How the hit rate would change at another size, by the cache's own estimate; what argues for the change if it has none. */
  #estimate(size: number): number {
    try {
      const { estimates } = this.#cache.advise?.() ?? { estimates: [] }
      const policy = estimates[0]?.policy
      const found = estimates.find(each => each.size === size && each.policy === policy)
      return found?.change ?? (size > 1 ? Infinity : 0)
    } catch (error) {
      // Made without `insight()`.
      if (error instanceof InvalidOptionError) return size > 1 ? Infinity : 0
      throw error
    }
  }

  #resize(to: number): void {
    this.#size = to
    this.#cache.resize({ [this.#settings.limit]: to })
  }
}

// Outside the class, so that the timer does not keep it alive.
function sample(sizer: AdaptiveSize): void {
  sizer.sample()
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
