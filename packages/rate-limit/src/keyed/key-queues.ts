import type { Admission } from '../wait/acquire-options.ts'
import type { WaitList } from '../wait/wait-list.ts'

/** What all queues together have come to. */
export interface QueueTotals {
  readonly waiting: number
  readonly refused: number
  readonly timeouts: number
  readonly aborts: number
}

/** The queues of the keys that a call waits for, and the accounts of those that are gone. */
export class KeyQueues {
  readonly #queues = new Map<string, WaitList<Admission>>()
  #refused = 0
  #timeouts = 0
  #aborts = 0

  get size(): number {
    return this.#queues.size
  }

  has(key: string): boolean {
    return this.#queues.has(key)
  }

  get(key: string): WaitList<Admission> | undefined {
    return this.#queues.get(key)
  }

  add(key: string, queue: WaitList<Admission>): void {
    this.#queues.set(key, queue)
  }

  /** All of them, of which any may be forgotten meanwhile. */
  list(): WaitList<Admission>[] {
    return [...this.#queues.values()]
  }

  /** Does nothing for a key that no call waits for. */
  forget(key: string): void {
    const queue = this.#queues.get(key)
    if (queue === undefined) return
    this.#refused += queue.refused
    this.#timeouts += queue.timeouts
    this.#aborts += queue.aborts
    this.#queues.delete(key)
  }

  totals(): QueueTotals {
    const totals = {
      waiting: 0,
      refused: this.#refused,
      timeouts: this.#timeouts,
      aborts: this.#aborts,
    }
    for (const { size, refused, timeouts, aborts } of this.#queues.values()) {
      totals.waiting += size
      totals.refused += refused
      totals.timeouts += timeouts
      totals.aborts += aborts
    }
    return totals
  }
}
