import { GhostQueue } from './ghost-queue.ts'
import { lengthen } from './lengthen.ts'
import { type Policy, SATURATED } from './policy.ts'
import { Links, NONE, SlotQueue } from './slot-queue.ts'

/** Share of the capacity that new keys must pass through. */
const SMALL = 0.1
/** Share of the capacity whose keys are remembered after they left the small queue. */
const GHOST = 0.9
/** Hits with which an entry leaves the small queue for the main one. */
const PROMOTION = 2
/** Bit of the frequency byte: the entry is in the main queue. */
const IN_MAIN = 4

/**
 * S3-FIFO: new keys pass through a small queue; those hit at least twice there go to the main
 * queue, where a hit buys another round; the others are evicted and remembered, and go straight to
 * the main queue should they return.
 *
 * Strong on web and key-value workloads, blind to loops and scans longer than the cache.
 *
 * J. Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP 2023. Queue shares and
 * order of steps follow libCacheSim, whose miss counts it reproduces exactly, except that an entry
 * larger than the whole small queue is not refused but goes to the main queue.
 */
export class S3Fifo implements Policy {
  readonly name = 's3-fifo'
  readonly hashed = true
  readonly lazy = false
  frequency: Uint8Array = new Uint8Array(0)
  /** Promotions made main overflow: a small entry has still to go. */
  owes = false
  readonly #links = new Links()
  readonly #small = new SlotQueue(this.#links)
  readonly #main = new SlotQueue(this.#links)
  readonly #ghosts = new GhostQueue()
  #hashes: Int32Array = new Int32Array(0)
  #smallCapacity = 1
  #mainCapacity = 1
  /** Whether the key announced last was remembered. */
  #returns = false

  touch(slot: number): void {
    this.frequency[slot]!++
  }

  arrive(hash: number): void {
    this.#returns = this.#ghosts.take(hash)
  }

  insert(slot: number, hash: number): void {
    this.#hashes[slot] = hash
    if (this.#returns || this.#isLarge(slot)) {
      this.frequency[slot] = IN_MAIN
      this.#main.pushHead(slot)
    } else {
      this.frequency[slot] = 0
      this.#small.pushHead(slot)
    }
    this.#returns = false
  }

  exchange(hash: number): number {
    const { tail } = this.#small
    const evictsMain = this.#main.weight > this.#mainCapacity || tail === NONE
    if (!evictsMain && this.frequency[tail]! >= PROMOTION) return NONE
    this.arrive(hash)
    const slot = this.evict()
    this.insert(slot, hash)
    return slot
  }

  restore(slot: number, hash: number, frequency: number): void {
    this.#hashes[slot] = hash
    this.frequency[slot] = frequency & (IN_MAIN | SATURATED)
    this.#queueOf(slot).pushHead(slot)
  }

  save(): undefined {
    return undefined
  }

  load(): void {}

  evict(): number {
    if (!this.owes && (this.#main.weight > this.#mainCapacity || this.#small.empty)) {
      return this.#evictMain()
    }
    return this.#evictSmall()
  }

  remove(slot: number): void {
    this.#queueOf(slot).unlink(slot)
  }

  reweigh(slot: number, weight: number): void {
    this.#queueOf(slot).weight += weight - this.#links.weight(slot)
  }

  grow(slots: number, weights: Float64Array | null): void {
    this.frequency = lengthen(this.frequency, slots)
    this.#hashes = lengthen(this.#hashes, slots)
    this.#links.grow(slots, weights)
    this.#ghosts.limit = slots
  }

  resize(capacity: number): void {
    this.#smallCapacity = Math.min(Math.max(1, Math.floor(capacity * SMALL)), capacity)
    this.#mainCapacity = capacity - this.#smallCapacity
    this.#ghosts.capacity = Math.floor(capacity * GHOST)
  }

  compact(): void {}

  order(): number[] {
    return [...this.#small.fromTail(), ...this.#main.fromTail()]
  }

  #queueOf(slot: number): SlotQueue {
    return (this.frequency[slot]! & IN_MAIN) !== 0 ? this.#main : this.#small
  }

  #isLarge(slot: number): boolean {
    return this.#links.weights !== null && this.#links.weights[slot]! >= this.#smallCapacity
  }

  #evictSmall(): number {
    this.owes = false
    const { frequency } = this
    for (;;) {
      const slot = this.#small.popTail()
      if (slot === NONE) return this.#evictMain()
      if (frequency[slot]! < PROMOTION) {
        this.#ghosts.remember(this.#hashes[slot]!, this.#links.weight(slot))
        return slot
      }
      frequency[slot] = IN_MAIN
      this.#main.pushHead(slot)
      if (this.#main.weight > this.#mainCapacity) {
        this.owes = !this.#small.empty
        return this.#evictMain()
      }
    }
  }

  #evictMain(): number {
    const { frequency } = this
    for (;;) {
      const slot = this.#main.tail
      if (slot === NONE) return NONE
      this.#main.unlink(slot)
      if ((frequency[slot]! & SATURATED) === 0) return slot
      frequency[slot]!--
      this.#main.pushHead(slot)
    }
  }
}
