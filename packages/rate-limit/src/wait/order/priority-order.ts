import { checkNonNegativeOrInfinity, checkOptions } from '@millrace/kit'
import { InvalidOptionError } from '../../errors.ts'
import { WaitQueue } from '../line/wait-queue.ts'
import type { Waiter } from '../waiter.ts'
import type { WaitOrder } from './wait-order.ts'

export interface PriorityOrderOptions {
  /**
   * After this many ms of waiting a call counts as one priority higher, so that none starves. Infinity makes priorities strict; 0 ignores
   * them. Default: 5,000
   */
  readonly ageAfter?: number | undefined
}

/** The number of priorities: 0 (first) to 9 (last). */
const PRIORITIES = 10

/** What a caller has that names none. */
export const DEFAULT_PRIORITY = 5

/** @throws {InvalidOptionError} for a priority that there is not */
export function checkPriority(priority: number): number {
  if (Number.isInteger(priority) && priority >= 0 && priority < PRIORITIES) return priority
  throw new InvalidOptionError('priority', `an integer from 0 to ${PRIORITIES - 1}`, priority)
}

/**
 * First come, first served within a priority; between priorities the more urgent first, with ageing. The default order.
 *
 * Ageing needs no clock and no moving of waiters: who came at `since` with priority p behaves as one of priority 0 who
 * came at `since + p * ageAfter`, and heads of lists are compared by that. Adding, serving and removing are O(1), as the
 * lists are at most ten.
 *
 * Who joins with a wait behind it, such as the next call of a combination, is not behind those who came later: those are in a list of
 * their own by age, of which there is one per combination at most.
 */
export class PriorityOrder implements WaitOrder {
  size = 0
  readonly #ageAfter: number
  readonly #queues: WaitQueue[] = []
  /** Those who joined when others of their priority that came later waited already; first who is served first. */
  readonly #late: Waiter[] = []
  /** Bit p is set when a call waits with priority p. */
  #occupied = 0

  constructor(options: PriorityOrderOptions = {}) {
    const { ageAfter = 5_000 } = checkOptions('', options, { ageAfter: true })
    this.#ageAfter = checkNonNegativeOrInfinity('ageAfter', ageAfter)
  }

  check(priority: number): void {
    checkPriority(priority)
  }

  add(waiter: Waiter): void {
    const { priority, since } = waiter
    if (this.#queues.length === 0) this.#createQueues()
    const queue = this.#queues[priority]!
    this.size++
    if (queue.tail !== undefined && since < queue.tail.since) {
      this.#addLate(waiter)
      return
    }
    queue.push(waiter)
    this.#occupied |= 1 << priority
  }

  first(): Waiter | undefined {
    let bits = this.#occupied
    const late = this.#late[0]
    if (bits === 0) return late
    let best = this.#queues[31 - Math.clz32(bits & -bits)]!.head!
    while ((bits &= bits - 1) !== 0) {
      const other = this.#queues[31 - Math.clz32(bits & -bits)]!.head!
      if (this.#before(other, best)) best = other
    }
    return late !== undefined && this.#before(late, best) ? late : best
  }

  serve(waiter: Waiter): void {
    this.remove(waiter)
  }

  remove(waiter: Waiter): void {
    this.size--
    if (waiter.place === this) {
      waiter.place = undefined
      this.#late.splice(this.#late.indexOf(waiter), 1)
      return
    }
    const queue = this.#queues[waiter.priority]!
    queue.remove(waiter)
    if (queue.head === undefined) this.#occupied &= ~(1 << waiter.priority)
  }

  costAhead(priority: number): number {
    let cost = 0
    for (let level = 0; level <= priority && level < this.#queues.length; level++) {
      cost += this.#queues[level]!.cost
    }
    for (const late of this.#late) if (late.priority <= priority) cost += late.cost
    return cost
  }

  *[Symbol.iterator](): Generator<Waiter, void, undefined> {
    yield* [...this.#late]
    for (const queue of this.#queues) yield* queue
  }

  /** Whether one is served before another. Strictly earlier: at equal age the more urgent, or the one that stands there, stays in front. */
  #before(one: Waiter, other: Waiter): boolean {
    if (one.priority === other.priority) return one.since < other.since
    // Infinity never is, nor is it more urgent by it.
    const ahead = (other.priority - one.priority) * this.#ageAfter
    return one.since - ahead < other.since || (one.since - ahead === other.since && ahead > 0)
  }

  #addLate(waiter: Waiter): void {
    waiter.place = this
    let low = 0
    let high = this.#late.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#before(waiter, this.#late[middle]!)) high = middle
      else low = middle + 1
    }
    this.#late.splice(low, 0, waiter)
  }

  #createQueues(): void {
    for (let level = 0; level < PRIORITIES; level++) this.#queues.push(new WaitQueue())
  }
}
