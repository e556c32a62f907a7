import type { Waiter } from '../waiter.ts'

/** Intrusive doubly linked list: O(1) to append and to unlink anywhere, nothing allocated. */
export class WaitQueue {
  head: Waiter | undefined = undefined
  tail: Waiter | undefined = undefined
  /** Sum of the costs of all in the list. */
  cost = 0

  push(waiter: Waiter): void {
    waiter.prev = this.tail
    if (this.tail === undefined) this.head = waiter
    else this.tail.next = waiter
    this.tail = waiter
    this.cost += waiter.cost
  }

  unshift(waiter: Waiter): void {
    waiter.next = this.head
    if (this.head === undefined) this.tail = waiter
    else this.head.prev = waiter
    this.head = waiter
    this.cost += waiter.cost
  }

  remove(waiter: Waiter): void {
    const { prev, next } = waiter
    if (prev === undefined) this.head = next
    else prev.next = next
    if (next === undefined) this.tail = prev
    else next.prev = prev
    waiter.prev = undefined
    waiter.next = undefined
    // An empty list is reset, so that fractional costs leave no rounding behind.
    this.cost = this.head === undefined ? 0 : this.cost - waiter.cost
  }

  *[Symbol.iterator](): Generator<Waiter, void, undefined> {
    for (let waiter = this.head; waiter !== undefined; waiter = waiter.next) yield waiter
  }
}
