import type { Carried } from './carried.ts'

/** First in, first out, with O(1) removal from anywhere: the links are fields of what waits. */
export class WaitQueue {
  #head: Carried | null = null
  #tail: Carried | null = null
  #size = 0

  get head(): Carried | null {
    return this.#head
  }

  get size(): number {
    return this.#size
  }

  push(carried: Carried): void {
    carried.isQueued = true
    carried.previous = this.#tail
    if (this.#tail === null) this.#head = carried
    else this.#tail.next = carried
    this.#tail = carried
    this.#size++
  }

  /** Takes out what is in this queue. */
  remove(carried: Carried): void {
    const { previous, next } = carried
    if (previous === null) this.#head = next
    else previous.next = next
    if (next === null) this.#tail = previous
    else next.previous = previous
    carried.isQueued = false
    carried.previous = null
    carried.next = null
    this.#size--
  }
}
