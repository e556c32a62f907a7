import { IdQueues } from './id-queues.ts'
import type { Policy, PolicyOptions } from './policy.ts'

const [small, main, ghost] = [0, 1, 2]

/**
 * S3-FIFO: a small queue that one-hit wonders leave soon, a main queue with second chances, and a ghost queue of ids that left
 * the small one, whose return goes straight to main. J. Yang et al., "FIFO queues are all you need", SOSP 2023.
 */
export class S3Fifo implements Policy {
  readonly #capacity: number
  readonly #smallCapacity: number
  readonly #ghostCapacity: number
  readonly #queues: IdQueues
  readonly #frequency: Uint8Array

  constructor({ capacity, distinct }: PolicyOptions) {
    this.#capacity = capacity
    this.#smallCapacity = Math.max(1, Math.floor(capacity * 0.1))
    this.#ghostCapacity = Math.floor(capacity * 0.9)
    this.#queues = new IdQueues(distinct, 3)
    this.#frequency = new Uint8Array(distinct)
  }

  access(id: number, size: number): boolean {
    const queues = this.#queues
    const queue = queues.queueOf(id)
    if (queue === small || queue === main) {
      if (this.#frequency[id]! < 3) this.#frequency[id]!++
      return true
    }
    const returns = queue === ghost
    if (returns) queues.remove(id)
    if (size > this.#capacity) return false
    while (queues.weight[small]! + queues.weight[main]! + size > this.#capacity) this.#evict()
    // An object larger than the whole small queue would flush it; with sizes of 1 there is none.
    if (!returns && size > 1 && size >= this.#smallCapacity) return false
    this.#frequency[id] = 0
    queues.pushHead(returns ? main : small, id, size)
    return false
  }

  #evict(): void {
    const { weight } = this.#queues
    const mainCapacity = this.#capacity - this.#smallCapacity
    if (weight[main]! > mainCapacity || weight[small] === 0) this.#evictMain()
    else this.#evictSmall(mainCapacity)
  }

  #evictSmall(mainCapacity: number): void {
    const queues = this.#queues
    for (let id = queues.popTail(small); id >= 0; id = queues.popTail(small)) {
      const size = queues.sizeOf(id)
      if (this.#frequency[id]! < 2) {
        this.#remember(id, size)
        return
      }
      this.#frequency[id] = 0
      queues.pushHead(main, id, size)
      if (queues.weight[main]! > mainCapacity) this.#evictMain()
    }
  }

  #evictMain(): void {
    const queues = this.#queues
    for (let id = queues.tail(main); id >= 0; id = queues.tail(main)) {
      if (this.#frequency[id] === 0) {
        queues.remove(id)
        return
      }
      this.#frequency[id]!--
      queues.moveToHead(main, id)
    }
  }

  #remember(id: number, size: number): void {
    const queues = this.#queues
    while (queues.weight[ghost]! + size > this.#ghostCapacity) {
      if (queues.popTail(ghost) < 0) return
    }
    queues.pushHead(ghost, id, size)
  }
}
