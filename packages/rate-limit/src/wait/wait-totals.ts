import { counters, type StatsKinds } from '@millrace/kit'

/** What calls have come to that were not let through at once, of limits of every kind. */
export interface WaitStats {
  /** Calls that wait now. */
  waiting: number
  /** Calls that got nothing at once: `tryAcquire` in vain, impossible deadlines, full queues, `timeout: 0`. */
  refused: number
  /** Waits that outlasted their timeout. */
  timeouts: number
  aborts: number
}

/** What the numbers of {@link WaitStats} are. */
export const WAIT_STATS_KINDS: StatsKinds<WaitStats> = {
  waiting: 'gauge',
  ...counters('refused', 'timeouts', 'aborts'),
}

/** What one queue has come to. */
export interface WaitCounts extends Readonly<Omit<WaitStats, 'waiting'>> {
  /** Calls that wait now. */
  readonly size: number
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
