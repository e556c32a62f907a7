/** "No slot" in links and results. */
export const NONE = -1

/** Double links between slots, shared by the queues of one policy as a slot is in at most one of them. */
export class Links {
  /** Neighbour towards the tail. */
  next: Int32Array = new Int32Array(0)
  /** Neighbour towards the head. */
  prev: Int32Array = new Int32Array(0)

  grow(slots: number): void {
    this.next = copy(this.next, slots)
    this.prev = copy(this.prev, slots)
  }
}

function copy(column: Int32Array, length: number): Int32Array {
  const grown = new Int32Array(length)
  grown.set(column)
  return grown
}

/** A queue of slots as a doubly linked list: every operation but `fromTail` and `clear` is O(1) and allocates nothing. */
export class SlotQueue {
  readonly links: Links
  head = NONE
  tail = NONE
  size = 0
  /** Sum of what `pushHead` was told, less what left. Equal to `size` in a cache limited by entries. */
  weight = 0

  constructor(links: Links = new Links()) {
    this.links = links
  }

  grow(slots: number): void {
    this.links.grow(slots)
  }

  pushHead(slot: number): void {
    const { next, prev } = this.links
    const head = this.head
    next[slot] = head
    prev[slot] = NONE
    if (head === NONE) this.tail = slot
    else prev[head] = slot
    this.head = slot
    this.size++
  }

  popTail(): number {
    const slot = this.tail
    if (slot === NONE) return NONE
    const before = this.links.prev[slot]!
    this.tail = before
    if (before === NONE) this.head = NONE
    else this.links.next[before] = NONE
    this.size--
    return slot
  }

  unlink(slot: number): void {
    const { next, prev } = this.links
    const after = next[slot]!
    const before = prev[slot]!
    if (before === NONE) this.head = after
    else next[before] = after
    if (after === NONE) this.tail = before
    else prev[after] = before
    this.size--
  }

  moveToHead(slot: number): void {
    if (slot === this.head) return
    this.unlink(slot)
    this.pushHead(slot)
  }

  clear(): void {
    this.head = this.tail = NONE
    this.size = this.weight = 0
  }

  /** All slots, oldest first. O(n). */
  fromTail(): number[] {
    const slots: number[] = []
    for (let slot = this.tail; slot !== NONE; slot = this.links.prev[slot]!) slots.push(slot)
    return slots
  }
}
