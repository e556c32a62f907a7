import type { Policy } from './policy.ts'
import { SlotQueue } from './slot-queue.ts'

/** Evicts the entry that was used least recently. Every hit moves its entry, which costs two to four cache lines. */
export class Lru implements Policy {
  readonly name = 'lru'
  readonly hashed = false
  /** Stays 0, so that every hit is told. */
  frequency: Uint8Array = new Uint8Array(0)
  readonly saturation = 1
  readonly #queue = new SlotQueue()

  get size(): number {
    return this.#queue.size
  }

  touch(slot: number): void {
    this.#queue.moveToHead(slot)
  }

  arrive(): void {}

  insert(slot: number): void {
    this.#queue.pushHead(slot)
  }

  evict(): number {
    return this.#queue.popTail()
  }

  remove(slot: number): void {
    this.#queue.unlink(slot)
  }

  reweigh(): void {}

  grow(slots: number): void {
    this.frequency = new Uint8Array(slots)
    this.#queue.grow(slots)
  }

  resize(): void {}

  clear(): void {
    this.#queue.clear()
  }

  order(): number[] {
    return this.#queue.fromTail()
  }
}
