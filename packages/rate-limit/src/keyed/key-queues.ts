import type { Admission } from '../wait/acquire-options.ts'
import type { WaitList } from '../wait/wait-list.ts'
import { type WaitStats, WaitTotals } from '../wait/wait-totals.ts'

/** The queues of the keys that a call waits for, and the accounts of those that are gone. */
export class KeyQueues {
  readonly #queues = new Map<string, WaitList<Admission>>()
  readonly #totals = new WaitTotals()

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
    this.#totals.retire(queue)
    this.#queues.delete(key)
  }

  totals(): WaitStats {
    return this.#totals.sum(this.#queues.values())
  }
}
