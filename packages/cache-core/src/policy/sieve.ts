import { lengthen } from './lengthen.ts'
import { type Policy, SATURATED } from './policy.ts'
import { Links, NONE, SlotQueue } from './slot-queue.ts'

/**
 * SIEVE: one queue in order of insertion and a hand that moves from old to new, evicts the first
 * entry not hit since it last passed and leaves the others where they are. A hit is one byte.
 *
 * The cheapest policy here, good on skewed workloads. Where recency is all there is (each key read
 * a few times, then never again) it can lock onto dead entries and fall far below LRU.
 *
 * Y. Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for Web
 * Caches", NSDI 2024.
 */
export class Sieve implements Policy {
  readonly name = 'sieve'
  readonly hashed = false
  readonly lazy = false
  readonly owes = false
  frequency: Uint8Array = new Uint8Array(0)
  readonly #links = new Links()
  readonly #queue = new SlotQueue(this.#links)
  /** Where the next search starts; NONE = at the oldest. */
  #hand: number = NONE

  touch(slot: number): void {
    this.frequency[slot] = SATURATED
  }

  arrive(): void {}

  insert(slot: number): void {
    this.frequency[slot] = 0
    this.#queue.pushHead(slot)
  }

  exchange(): number {
    const slot = this.evict()
    this.insert(slot)
    return slot
  }

  restore(slot: number, _hash: number, frequency: number): void {
    this.frequency[slot] = frequency & SATURATED
    this.#queue.pushHead(slot)
  }

  save(): undefined {
    return undefined
  }

  load(): void {}

  evict(): number {
    const { frequency } = this
    const queue = this.#queue
    const newer = this.#links.prev
    let slot = this.#hand === NONE ? queue.tail : this.#hand
    if (slot === NONE) return NONE
    while (frequency[slot] !== 0) {
      frequency[slot] = 0
      slot = newer[slot]!
      if (slot === NONE) slot = queue.tail
    }
    this.#hand = newer[slot]!
    queue.unlink(slot)
    return slot
  }

  remove(slot: number): void {
    if (this.#hand === slot) this.#hand = this.#links.prev[slot]!
    this.#queue.unlink(slot)
  }

  reweigh(slot: number, weight: number): void {
    this.#queue.weight += weight - this.#links.weight(slot)
  }

  grow(slots: number, weights: Float64Array | null): void {
    this.frequency = lengthen(this.frequency, slots)
    this.#links.grow(slots, weights)
  }

  resize(): void {}

  compact(): void {}

  /** From the hand on, as if nothing were hit before it comes by. */
  order(): number[] {
    const slots = this.#queue.fromTail()
    const start = this.#hand === NONE ? 0 : slots.indexOf(this.#hand)
    return [...slots.slice(start), ...slots.slice(0, start)]
  }
}
