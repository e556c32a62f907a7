import { IdQueues } from './id-queues.ts'
import type { Policy, PolicyOptions } from './policy.ts'

/** Seen once and seen again, each with the ids that left it. */
const [recent, frequent, recentGhosts, frequentGhosts] = [0, 1, 2, 3]

/**
 * ARC: the share of entries seen once follows which of the two ghost lists the misses hit.
 * N. Megiddo and D. Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003, figure 4. Entries of size 1 only.
 */
export class Arc implements Policy {
  readonly #capacity: number
  readonly #lists: IdQueues
  /** Target size of `recent`. */
  #target = 0

  constructor({ capacity, distinct }: PolicyOptions) {
    this.#capacity = capacity
    this.#lists = new IdQueues(distinct, 4)
  }

  access(id: number): boolean {
    const lists = this.#lists
    const { weight } = lists
    switch (lists.queueOf(id)) {
      case recent:
      case frequent:
        lists.moveToHead(frequent, id)
        return true
      case recentGhosts: {
        const step = Math.max(1, weight[frequentGhosts]! / weight[recentGhosts]!)
        this.#target = Math.min(this.#capacity, this.#target + step)
        this.#replace(false)
        lists.moveToHead(frequent, id)
        return false
      }
      case frequentGhosts: {
        const step = Math.max(1, weight[recentGhosts]! / weight[frequentGhosts]!)
        this.#target = Math.max(0, this.#target - step)
        this.#replace(true)
        lists.moveToHead(frequent, id)
        return false
      }
    }
    this.#makeRoom()
    lists.pushHead(recent, id, 1)
    return false
  }

  #makeRoom(): void {
    const lists = this.#lists
    const { weight } = lists
    const once = weight[recent]! + weight[recentGhosts]!
    const again = weight[frequent]! + weight[frequentGhosts]!
    if (once === this.#capacity) {
      if (weight[recent]! < this.#capacity) {
        lists.popTail(recentGhosts)
        this.#replace(false)
      } else {
        lists.popTail(recent)
      }
    } else if (once + again >= this.#capacity) {
      if (once + again === 2 * this.#capacity) lists.popTail(frequentGhosts)
      this.#replace(false)
    }
  }

  #replace(fromFrequentGhosts: boolean): void {
    const lists = this.#lists
    const size = lists.weight[recent]!
    if (size > 0 && (size > this.#target || (fromFrequentGhosts && size === this.#target))) {
      lists.moveToHead(recentGhosts, lists.tail(recent))
    } else {
      lists.moveToHead(frequentGhosts, lists.tail(frequent))
    }
  }
}
