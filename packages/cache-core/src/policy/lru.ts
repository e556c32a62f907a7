import { lengthen } from './lengthen.ts'
import type { Policy } from './policy.ts'
import { Links, SlotQueue } from './slot-queue.ts'

/**
 * Evicts the entry that was used least recently. Every hit moves its entry, which touches up to
 * four others' links.
 */
export class Lru implements Policy {
  readonly name = 'lru'
  readonly hashed = false
  readonly lazy = false
  readonly owes = false
  /** Stays 0, so that every hit is told. */
  frequency: Uint8Array = new Uint8Array(0)
  readonly #links = new Links()
  readonly #queue = new SlotQueue(this.#links)

  touch(slot: number): void {
    this.#queue.moveToHead(slot)
  }

  arrive(): void {}

  insert(slot: number): void {
    this.#queue.pushHead(slot)
  }

  exchange(): number {
    const slot = this.evict()
    this.insert(slot)
    return slot
  }

  restore(slot: number): void {
    this.#queue.pushHead(slot)
  }

  save(): undefined {
    return undefined
  }

  load(): void {}

  evict(): number {
    return this.#queue.popTail()
  }

  remove(slot: number): void {
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

  order(): number[] {
    return this.#queue.fromTail()
  }
}
