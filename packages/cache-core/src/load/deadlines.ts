import type { Clock, Timer } from '@millrace/kit'
import { LoadTimeoutError } from '../errors.ts'

/** What has a deadline. */
export interface Expiring {
  /** ms on the clock when it began. */
  readonly started: number
  abort(reason: unknown): void
}

/**
 * Hard timeouts of the loads of one cache: one timer per duration in use, however many loads. Loads with the same duration
 * come due in the order in which they began, so a queue is all it takes: O(1) to add and to remove, where a timer of its own
 * would cost more than the rest of a load's bookkeeping. The timer is left to run when its load ends, for the next one.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #queues = new Map<number, DeadlineQueue>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Aborts `load` with a `LoadTimeoutError` unless it is removed within `timeout` ms of its start. */
  add(load: Expiring, timeout: number): void {
    let queue = this.#queues.get(timeout)
    if (queue === undefined) {
      queue = new DeadlineQueue(timeout, this.#clock, () => this.#queues.delete(timeout))
      this.#queues.set(timeout, queue)
    }
    queue.add(load)
  }

  remove(load: Expiring, timeout: number): void {
    this.#queues.get(timeout)?.remove(load)
  }
}

class DeadlineQueue {
  readonly #timeout: number
  readonly #clock: Clock
  readonly #emptied: () => void
  /** In the order of their start. */
  readonly #loads = new Set<Expiring>()
  #timer: Timer | undefined
  /** The load the timer was set for: due when it fires, whatever has become of the clock. */
  #first: Expiring | undefined

  constructor(timeout: number, clock: Clock, emptied: () => void) {
    this.#timeout = timeout
    this.#clock = clock
    this.#emptied = emptied
  }

  add(load: Expiring): void {
    this.#loads.add(load)
    if (this.#timer === undefined) this.#arm(load, this.#timeout)
  }

  remove(load: Expiring): void {
    this.#loads.delete(load)
    if (this.#first === load) this.#first = undefined
  }

  #arm(first: Expiring, delay: number): void {
    this.#first = first
    this.#timer = this.#clock.setTimer(this.#expire, delay)
  }

  readonly #expire = (): void => {
    const now = this.#clock.now()
    for (const load of this.#loads) {
      const left = load.started + this.#timeout - now
      if (left > 0 && load !== this.#first) {
        // No longer than the duration, even if the clock was set back.
        this.#arm(load, Math.min(left, this.#timeout))
        return
      }
      this.#loads.delete(load)
      load.abort(new LoadTimeoutError(this.#timeout))
    }
    this.#timer = undefined
    this.#first = undefined
    this.#emptied()
  }
}
