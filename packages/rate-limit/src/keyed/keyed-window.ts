import {
  checkInteger,
  checkOptions,
  describeStats,
  gauges,
  monotonicClock,
  type OptionNames,
} from '@millrace/kit'
import { LimiterClosedError } from '../errors.ts'
import { checkRefund } from '../limiter/check-refund.ts'
import type { Decision } from '../limiter/rate-limiter.ts'
import { type AcquireOptions, type Admission, costOf, optionsOf } from '../wait/acquire-options.ts'
import { SlidingWindow, type SlidingWindowOptions } from '../window/sliding-window.ts'
import { checkKey } from './check-key.ts'

/** `limit`, `window` and `maxQueue` are those of each key. */
export interface KeyedWindowOptions extends Omit<SlidingWindowOptions, 'order'> {
  /**
   * The most keys in memory. Beyond it the key that was used least recently is forgotten, of those that nothing waits for.
   * Default: 10,000
   */
  readonly maxKeys?: number | undefined
}

const NAMES: OptionNames<KeyedWindowOptions> = {
  limit: true,
  window: true,
  algorithm: true,
  maxKeys: true,
  maxQueue: true,
  name: true,
  clock: true,
}

export interface KeyedWindowStats {
  keys: number
  maxKeys: number
  waiting: number
  /** Keys forgotten while their window was not empty. */
  evicted: number
}

/** Keys looked at for one that is empty when another comes. */
const PROBES = 2

/** A sliding window per key: exactly so many permits in any window, with 8 bytes per permit of each key in use. */
export class KeyedWindow {
  readonly keyed = true
  readonly name: string
  /** The most permits of a key in a window, and its length in ms. */
  readonly limit: number
  readonly window: number
  readonly #options: SlidingWindowOptions
  readonly #maxKeys: number
  readonly #windows = new Map<string, SlidingWindow>()
  /** Permits handed out, without those refunded. */
  #granted = 0
  #evicted = 0
  #closed = false

  constructor(options: KeyedWindowOptions) {
    const {
      maxKeys = 10_000,
      name = 'keyed-window',
      clock = monotonicClock,
      ...rest
    } = checkOptions('', options, NAMES)
    this.#maxKeys = checkInteger('maxKeys', maxKeys, 1)
    this.#options = { ...rest, name, clock }
    this.name = new SlidingWindow(this.#options).name
    this.limit = checkInteger('limit', rest.limit, 1)
    this.window = rest.window
  }

  /** Spends `cost` of the key if that is possible now and nothing waits for it. @throws {LimiterClosedError} */
  tryAcquire(key: string, cost = 1): boolean {
    this.#checkOpen()
    const allowed = this.#of(key).tryAcquire(cost)
    if (allowed) this.#granted += Math.ceil(cost)
    return allowed
  }

  /** {@link tryAcquire} with all that a response header or a log line needs. */
  decide(key: string, cost = 1): Decision {
    this.#checkOpen()
    const decision = this.#of(key).decide(cost)
    if (decision.allowed) this.#granted += Math.ceil(cost)
    return decision
  }

  /** Spends `cost` of the key, after waiting for its turn. @throws (by rejection) as {@link SlidingWindow.acquire} does */
  acquire(key: string, cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(key: string, options?: AcquireOptions): Promise<Admission>
  async acquire(
    key: string,
    first?: number | AcquireOptions,
    second?: AcquireOptions,
  ): Promise<Admission> {
    this.#checkOpen()
    const options = optionsOf(first, second)
    const cost = costOf(first, options)
    const admission = await this.#of(key).acquire(first as number, second)
    this.#granted += Math.ceil(cost)
    return admission
  }

  /**
   * Gives back permits that were granted to the key but not used. What has been forgotten of the key has left the window or was forgiven.
   *
   * @throws {InvalidOptionError} for more than was granted
   */
  refund(key: string, cost = 1): void {
    checkKey(key)
    checkRefund(cost, this.#granted)
    this.#granted -= Math.min(this.#granted, Math.ceil(cost))
    const window = this.#windows.get(key)
    window?.refund(Math.min(cost, window.stats().granted))
  }

  /** The key's window as it is, without spending: `allowed` says whether one permit could be taken now. @throws {LimiterClosedError} */
  get(key: string): Decision {
    this.#checkOpen()
    const window = this.#of(key)
    const decision = window.decide(0)
    const retryAfter = window.estimateWait(1)
    return { ...decision, allowed: retryAfter === 0, retryAfter }
  }

  /** Empties the key's window; calls that wait for it are served. Returns whether anything was known of it. */
  reset(key: string): boolean {
    const window = this.#windows.get(checkKey(key))
    if (window === undefined) return false
    window.reset()
    return true
  }

  /** Spends `cost` of the key as a penalty: see {@link SlidingWindow.penalize}. */
  penalize(key: string, cost = 1): void {
    this.#of(key).penalize(cost)
  }

  /** Lets nothing of the key pass for `ms`: see {@link SlidingWindow.pause}. */
  block(key: string, ms: number): void {
    this.#of(key).pause(ms)
  }

  stats(): KeyedWindowStats {
    let waiting = 0
    for (const window of this.#windows.values()) waiting += window.stats().waiting
    return { keys: this.#windows.size, maxKeys: this.#maxKeys, waiting, evicted: this.#evicted }
  }

  /** Ends all waits with {@link LimiterClosedError} and refuses what asks for permits from now on. Permits can still be refunded. */
  close(): void {
    this.#closed = true
    for (const window of this.#windows.values()) window.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #checkOpen(): void {
    if (this.#closed) throw new LimiterClosedError(this.name)
  }

  #of(key: string): SlidingWindow {
    checkKey(key)
    let window = this.#windows.get(key)
    if (window === undefined) {
      this.#sweep()
      window = new SlidingWindow(this.#options)
    } else this.#windows.delete(key)
    // The map's order is that of use.
    this.#windows.set(key, window)
    return window
  }

  /** Forgets keys that were used least recently: empty ones, or others beyond the most. */
  #sweep(): void {
    let probes = PROBES
    for (const [key, window] of this.#windows) {
      const full = this.#windows.size >= this.#maxKeys
      if (probes-- <= 0 && !full) return
      const { waiting, available, limit } = window.stats()
      if (waiting > 0) continue
      if (available >= limit) this.#windows.delete(key)
      else if (full) {
        this.#windows.delete(key)
        this.#evicted++
      }
    }
  }
}

describeStats<KeyedWindowStats>(KeyedWindow.prototype, {
  ...gauges('keys', 'maxKeys', 'waiting'),
  evicted: 'counter',
})
