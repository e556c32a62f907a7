import type { Attempt } from '../exchange/attempt.ts'

/** First in, first out, with O(1) removal from anywhere: the links are fields of the attempts. */
export class WaitQueue {
  #head: Attempt | null = null
  #tail: Attempt | null = null
  #size = 0

  get head(): Attempt | null {
    return this.#head
  }

  get size(): number {
    return this.#size
  }

  push(attempt: Attempt): void {
    attempt.isQueued = true
    attempt.previous = this.#tail
    if (this.#tail === null) this.#head = attempt
    else this.#tail.next = attempt
    this.#tail = attempt
    this.#size++
  }

  /** Takes out an attempt that is in this queue. */
  remove(attempt: Attempt): void {
    const { previous, next } = attempt
    if (previous === null) this.#head = next
    else previous.next = next
    if (next === null) this.#tail = previous
    else next.previous = previous
    attempt.isQueued = false
    attempt.previous = null
    attempt.next = null
    this.#size--
  }
}
