import { IdQueues } from './id-queues.ts'
import type { Policy, PolicyOptions } from './policy.ts'

/** Least recently used, the policy of every common JavaScript cache. */
export class Lru implements Policy {
  readonly #capacity: number
  readonly #queue: IdQueues

  constructor({ capacity, distinct }: PolicyOptions) {
    this.#capacity = capacity
    this.#queue = new IdQueues(distinct, 1)
  }

  access(id: number, size: number): boolean {
    const queue = this.#queue
    if (queue.queueOf(id) === 0) {
      queue.moveToHead(0, id)
      return true
    }
    if (size > this.#capacity) return false
    while (queue.weight[0]! + size > this.#capacity) queue.popTail(0)
    queue.pushHead(0, id, size)
    return false
  }
}
