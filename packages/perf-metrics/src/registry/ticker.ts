import type { Clock, Timer } from '@millrace/kit'

/** How often coarse time advances, in milliseconds. */
export const TICK = 1000

/** Coarse time of a date: never 0, which says that a gauge was not set yet, also where a clock begins there. */
export function tickOf(date: number): number {
  return date || 1
}

/**
 * Calls a registry once a second without keeping it, or the process, alive. Starts with the first instrument, so an
 * import costs no timer.
 */
export class Ticker<T extends object> {
  readonly #clock: Clock
  readonly #target: WeakRef<T>
  readonly #tick: (target: T) => void
  #timer: Timer | undefined
  #closed = false

  constructor(clock: Clock, target: T, tick: (target: T) => void) {
    this.#clock = clock
    this.#target = new WeakRef(target)
    this.#tick = tick
  }

  start(): void {
    if (this.#timer !== undefined || this.#closed) return
    this.#timer = this.#clock.setTimer(() => this.#fire(), TICK)
  }

  #fire(): void {
    this.#timer = undefined
    const target = this.#target.deref()
    if (target === undefined) return
    this.#tick(target)
    this.start()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
