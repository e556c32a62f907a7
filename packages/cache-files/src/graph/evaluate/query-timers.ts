import type { Clock, Timer } from '@millrace/cache-core'
import { setAwaitedTimer } from '@millrace/kit'

/** What a {@link QueryTimers} ends. */
export interface Timed {
  /** On the clock. */
  readonly due: number
  expire(): void
}

/** The times at which queries that run are over, by one timer for all: most queries end long before. */
export class QueryTimers {
  readonly #clock: Clock
  readonly #running = new Set<Timed>()
  #timer: Timer | undefined
  #next = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Ends it when it is due, unless it is forgotten before. Its `due` must not change meanwhile. */
  add(timed: Timed): void {
    this.#running.add(timed)
    if (timed.due < this.#next) this.#wait(timed.due)
  }

  forget(timed: Timed): void {
    this.#running.delete(timed)
    // As it keeps the process alive.
    if (this.#running.size === 0) this.#stop()
  }

  #wait(due: number): void {
    this.#stop()
    this.#next = due
    const delay = Math.max(0, due - this.#clock.now())
    this.#timer = setAwaitedTimer(this.#clock, () => this.#fire(), delay)
  }

  #stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#next = Infinity
  }

  #fire(): void {
    this.#stop()
    const now = this.#clock.now()
    let next = Infinity
    for (const timed of [...this.#running]) {
      if (timed.due > now) next = Math.min(next, timed.due)
      else {
        this.#running.delete(timed)
        timed.expire()
      }
    }
    if (next < this.#next) this.#wait(next)
  }
}
