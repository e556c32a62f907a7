/** What one queue has come to. */
export interface WaitCounts {
  /** Calls that wait now. */
  readonly size: number
  readonly refused: number
  readonly timeouts: number
  readonly aborts: number
}

/** What all queues together have come to. */
export interface WaitStats {
  readonly waiting: number
  readonly refused: number
  readonly timeouts: number
  readonly aborts: number
}

/** The accounts of queues that come and go. */
export class WaitTotals {
  /** Of those that are gone, and of calls that no queue had. */
  refused = 0
  #timeouts = 0
  #aborts = 0

  /** Keeps the accounts of a queue that is forgotten. */
  retire({ refused, timeouts, aborts }: WaitCounts): void {
    this.refused += refused
    this.#timeouts += timeouts
    this.#aborts += aborts
  }

  /** With those of the queues that are there. O(queues). */
  sum(queues: Iterable<WaitCounts>): WaitStats {
    let waiting = 0
    let { refused } = this
    let timeouts = this.#timeouts
    let aborts = this.#aborts
    for (const queue of queues) {
      waiting += queue.size
      refused += queue.refused
      timeouts += queue.timeouts
      aborts += queue.aborts
    }
    return { waiting, refused, timeouts, aborts }
  }
}
