import { lengthen } from './lengthen.ts'

/** "No slot" in links and results. */
export const NONE = -1

/**
 * Double links between slots, shared by the queues of one policy, as a slot is in at most one of
 * them.
 */
export class Links {
  /** Neighbour towards the tail. */
  next: Int32Array = new Int32Array(0)
  /** Neighbour towards the head. */
  prev: Int32Array = new Int32Array(0)
  /** The kernel's column; null if every entry weighs 1. */
  weights: Float64Array | null = null

  grow(slots: number, weights: Float64Array | null): void {
    this.next = lengthen(this.next, slots)
    this.prev = lengthen(this.prev, slots)
    this.weights = weights
  }

  weight(slot: number): number {
    return this.weights === null ? 1 : this.weights[slot]!
  }
}

/** A queue of slots as a doubly linked list. All but `fromTail` is O(1) and allocates nothing. */
export class SlotQueue {
  readonly links: Links
  head: number = NONE
  tail: number = NONE
  /** Total weight of the slots in it: their number in a cache without a weigher. */
  weight = 0

  constructor(links: Links) {
    this.links = links
  }

  get empty(): boolean {
    return this.head === NONE
  }

  pushHead(slot: number): void {
    const { links, head } = this
    links.next[slot] = head
    links.prev[slot] = NONE
    if (head === NONE) this.tail = slot
    else links.prev[head] = slot
    this.head = slot
    this.weight += links.weight(slot)
  }

  /** Takes out the oldest slot; NONE if there is none. */
  popTail(): number {
    const slot = this.tail
    if (slot !== NONE) this.unlink(slot)
    return slot
  }

  unlink(slot: number): void {
    const links = this.links
    const after = links.next[slot]!
    const before = links.prev[slot]!
    if (before === NONE) this.head = after
    else links.next[before] = after
    if (after === NONE) this.tail = before
    else links.prev[after] = before
    // Sums of fractions are rounded: what is left of them ends with the last slot.
    this.weight = this.head === NONE ? 0 : this.weight - links.weight(slot)
  }

  moveToHead(slot: number): void {
    if (slot === this.head) return
    this.unlink(slot)
    this.pushHead(slot)
  }

  /** All slots, oldest first. O(n). */
  fromTail(): number[] {
    const slots: number[] = []
    for (let slot = this.tail; slot !== NONE; slot = this.links.prev[slot]!) slots.push(slot)
    return slots
  }
}
