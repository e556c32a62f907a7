import {
  checkAtLeast,
  checkPositive,
  checkShare,
  type OptionRules,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import type { LimitAlgorithm, LoadSample } from './limit-algorithm.ts'

export interface GradientOptions {
  /** By which factor a window may be slower than usual before the limit falls; at least 1. Default: 1.5 */
  readonly tolerance?: number | undefined
  /** How fast the limit follows, above 0 and up to 1, which is at once. Default: 0.2 */
  readonly smoothing?: number | undefined
  /** How many windows the usual duration is averaged over. Default: 600 */
  readonly longWindow?: number | undefined
  /** By how many the limit grows in each window without queueing, before smoothing. Default: 4 */
  readonly queueSize?: number | undefined
}

const OPTIONS: OptionRules<GradientOptions> = {
  tolerance: withDefault(1.5, checkAtLeast, 1),
  smoothing: withDefault(0.2, checkShare),
  longWindow: withDefault(600, checkPositive),
  queueSize: withDefault(4, checkPositive),
}

/** Windows over which the usual duration is a plain mean, before it becomes a moving one. */
const WARM_UP = 10

/** The smallest factor of one window, and that of a window with drops. */
const SMALLEST_GRADIENT = 0.5

/** By how much the fastest duration known is forgotten per window, so that a peer may become slower for good. */
const FORGETTING = 1.001

/**
 * The usual duration over the present one, times a tolerance, scales the limit: as soon as calls begin to queue in the
 * peer, fewer are let in.
 *
 * After Gradient2 of Netflix/concurrency-limits, with three of its known faults mended: a window with drops always
 * lowers the limit (issue 137: it grew under constant timeouts); the growth term is left out while the limit falls
 * (134: the limit drifted up); and the usual duration stays near the fastest known, or an overload that lasts becomes
 * the usual (165).
 */
export class Gradient implements LimitAlgorithm {
  readonly #tolerance: number
  readonly #smoothing: number
  readonly #longWindow: number
  readonly #queueSize: number
  #windows = 0
  #usual = 0
  #fastest = Infinity

  constructor(options: GradientOptions = {}) {
    const settings = resolveOptions('', options, OPTIONS)
    this.#tolerance = settings.tolerance
    this.#smoothing = settings.smoothing
    this.#longWindow = settings.longWindow
    this.#queueSize = settings.queueSize
  }

  update(limit: number, { rtt, inflight, dropped }: LoadSample): number {
    if (dropped) return this.#follow(limit, limit * SMALLEST_GRADIENT)
    const usual = this.#learn(rtt)
    // Who does not use the limit learns nothing about it.
    if (inflight < limit / 2) return limit
    const gradient = Math.min(1, Math.max(SMALLEST_GRADIENT, (this.#tolerance * usual) / rtt))
    return this.#follow(limit, gradient < 1 ? limit * gradient : limit + this.#queueSize)
  }

  #follow(limit: number, target: number): number {
    return limit + this.#smoothing * (target - limit)
  }

  #learn(rtt: number): number {
    this.#windows++
    const weight =
      this.#windows <= WARM_UP ? 1 / this.#windows : 2 / (Math.max(this.#longWindow, 1) + 1)
    this.#usual += weight * (rtt - this.#usual)
    // After an overload the usual duration comes down faster than it went up.
    if (this.#usual > 2 * rtt) this.#usual *= 0.95
    this.#fastest = Math.min(rtt, this.#fastest * FORGETTING)
    this.#usual = Math.min(this.#usual, this.#tolerance * this.#fastest)
    return this.#usual
  }
}
