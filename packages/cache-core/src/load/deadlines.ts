import type { Clock, Timer } from '@millrace/kit'
import { graceAfter } from '../time/grace.ts'

/** What has a deadline. */
export interface Expiring {
  /** Whether a caller waits for it, and not only the cache. */
  readonly awaited: boolean
  /** ms on the clock when it began. */
  readonly started: number
  abort(reason: unknown): void
}

/**
 * Timeouts of the loads of one cache, or of the calls of one store: one timer per duration in use, however many loads. Loads with the same
 * duration come due in the order in which they began, so a queue is all it takes: O(1) to add and to remove, where a timer of its own
 * would cost more than the rest of a load's bookkeeping. The timer is left to run when its load ends, for the next one.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #expired: (timeout: number) => Error
  /** By duration; each has a timer. */
  readonly #queues = new Map<number, DeadlineQueue>()

  /** @param expired what a load fails with that passed its timeout, in ms */
  constructor(clock: Clock, expired: (timeout: number) => Error) {
    this.#clock = clock
    this.#expired = expired
  }

  /** Aborts `load` unless it is removed within `timeout` ms of its start. */
  add(load: Expiring, timeout: number): void {
    const queue = this.#queues.get(timeout)
    if (queue !== undefined) {
      queue.loads.add(load)
      return
    }
    const begun: DeadlineQueue = { timeout, loads: new Set([load]), grace: false, first: load }
    this.#queues.set(timeout, begun)
    const timer = this.#arm(begun, timeout)
    if (timer.ref !== undefined) running.add(begun)
  }

  remove(load: Expiring, timeout: number): void {
    const queue = this.#queues.get(timeout)
    queue?.loads.delete(load)
    if (queue?.first === load) queue.first = undefined
  }

  #arm(queue: DeadlineQueue, delay: number): Timer {
    return this.#clock.setTimer(() => this.#expire(queue), delay)
  }

  #expire(queue: DeadlineQueue): void {
    const { timeout, loads } = queue
    const now = this.#clock.now()
    const [oldest] = loads
    const late = oldest === undefined || queue.grace ? 0 : now - oldest.started - timeout
    const grace = graceAfter(late, timeout)
    queue.grace = grace !== 0
    if (queue.grace) {
      this.#arm(queue, grace)
      return
    }
    for (const load of loads) {
      const left = load.started + timeout - now
      if (left > 0 && load !== queue.first) {
        queue.first = load
        // No longer than the duration, even if the clock was set back.
        this.#arm(queue, Math.min(left, timeout))
        return
      }
      loads.delete(load)
      load.abort(this.#expired(timeout))
    }
    this.#queues.delete(timeout)
    running.delete(queue)
  }
}

/** Those of all caches on clocks for whose timers a process can wait. */
const running = new Set<DeadlineQueue>()
/** ms after which a process that waits for loads alone looks again whether it still does. */
const LOOK_AGAIN = 50

/*
 * A timer keeps no process alive, as it is left to run behind its load. Where nothing else does, a caller who waits for a load that hangs
 * would be told nothing: the process goes on until that has ended, at the latest by its timeout.
 */
process.on('beforeExit', () => {
  for (const { loads } of running) {
    for (const { awaited } of loads) if (awaited) return void setTimeout(() => {}, LOOK_AGAIN)
  }
})

interface DeadlineQueue {
  readonly timeout: number
  /** In the order of their start. */
  readonly loads: Set<Expiring>
  /** The timer was late, as the thread was blocked, and was set once more for results that could not be read meanwhile. */
  grace: boolean
  /** The load the timer was set for: due when it fires, whatever has become of the clock. */
  first: Expiring | undefined
}
