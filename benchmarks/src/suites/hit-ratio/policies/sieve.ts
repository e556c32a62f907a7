import { IdQueues } from './id-queues.ts'
import type { Policy, PolicyOptions } from './policy.ts'

/**
 * SIEVE: one FIFO queue and a hand that passes over visited entries, which stay where they are.
 * Y. Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024.
 */
export class Sieve implements Policy {
  readonly #capacity: number
  readonly #queue: IdQueues
  readonly #visited: Uint8Array
  /** The id at which the next search for a victim starts; -1 = the tail. */
  #hand = -1

  constructor({ capacity, distinct }: PolicyOptions) {
    this.#capacity = capacity
    this.#queue = new IdQueues(distinct, 1)
    this.#visited = new Uint8Array(distinct)
  }

  access(id: number, size: number): boolean {
    if (this.#queue.queueOf(id) === 0) {
      this.#visited[id] = 1
      return true
    }
    if (size > this.#capacity) return false
    while (this.#queue.weight[0]! + size > this.#capacity) this.#evict()
    this.#visited[id] = 0
    this.#queue.pushHead(0, id, size)
    return false
  }

  #evict(): void {
    let victim = this.#hand >= 0 ? this.#hand : this.#queue.tail(0)
    while (this.#visited[victim] === 1) {
      this.#visited[victim] = 0
      const newer = this.#queue.newer(victim)
      victim = newer >= 0 ? newer : this.#queue.tail(0)
    }
    this.#hand = this.#queue.newer(victim)
    this.#queue.remove(victim)
  }
}
