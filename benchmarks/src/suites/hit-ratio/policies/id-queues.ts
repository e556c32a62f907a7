/**
 * Doubly linked queues over dense ids: an id is in one of them or in none. All operations are O(1) and allocate nothing.
 */
export class IdQueues {
  /** Sum of sizes by queue. */
  readonly weight: Float64Array
  /** Towards the tail (older). */
  readonly #next: Int32Array
  /** Towards the head (newer). */
  readonly #previous: Int32Array
  /** Queue of an id plus one; 0 = in none. */
  readonly #queue: Uint8Array
  readonly #size: Int32Array
  /** The id of queue 0's sentinel, which closes its circle; those of the others follow. */
  readonly #sentinels: number

  constructor(distinct: number, queues: number) {
    this.#sentinels = distinct
    this.#next = new Int32Array(distinct + queues)
    this.#previous = new Int32Array(distinct + queues)
    this.#queue = new Uint8Array(distinct)
    this.#size = new Int32Array(distinct)
    this.weight = new Float64Array(queues)
    for (let sentinel = distinct; sentinel < distinct + queues; sentinel++) {
      this.#next[sentinel] = sentinel
      this.#previous[sentinel] = sentinel
    }
  }

  /** The queue that holds the id, or -1. */
  queueOf(id: number): number {
    return this.#queue[id]! - 1
  }

  sizeOf(id: number): number {
    return this.#size[id]!
  }

  pushHead(queue: number, id: number, size: number): void {
    const sentinel = this.#sentinels + queue
    const head = this.#next[sentinel]!
    this.#next[id] = head
    this.#previous[id] = sentinel
    this.#previous[head] = id
    this.#next[sentinel] = id
    this.#queue[id] = queue + 1
    this.#size[id] = size
    this.weight[queue]! += size
  }

  remove(id: number): void {
    const next = this.#next[id]!
    const previous = this.#previous[id]!
    this.#next[previous] = next
    this.#previous[next] = previous
    this.weight[this.#queue[id]! - 1]! -= this.#size[id]!
    this.#queue[id] = 0
  }

  moveToHead(queue: number, id: number): void {
    this.remove(id)
    this.pushHead(queue, id, this.#size[id]!)
  }

  /** The oldest id of a queue, or -1. */
  tail(queue: number): number {
    const id = this.#previous[this.#sentinels + queue]!
    return id < this.#sentinels ? id : -1
  }

  /** The next newer id in the same queue, or -1 at the head. */
  newer(id: number): number {
    const newer = this.#previous[id]!
    return newer < this.#sentinels ? newer : -1
  }

  /** Removes and returns the oldest id of a queue, or -1. */
  popTail(queue: number): number {
    const id = this.tail(queue)
    if (id >= 0) this.remove(id)
    return id
  }
}
