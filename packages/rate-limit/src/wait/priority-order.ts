import { checkNonNegativeOrInfinity, checkOptions } from '@millrace/kit'
import { InvalidOptionError } from '../errors.ts'
import type { WaitOrder } from './wait-order.ts'
import { WaitQueue } from './wait-queue.ts'
import type { Waiter } from './waiter.ts'

export interface PriorityOrderOptions {
  /**
   * After this many ms of waiting a caller counts as one priority higher, so that nobody starves; default 5,000.
   * Infinity makes priorities strict; 0 ignores them.
   */
  readonly ageAfter?: number | undefined
}

/** The number of priorities: 0 (first) to 9 (last). */
const PRIORITIES = 10

/** What a caller has that names none. */
export const DEFAULT_PRIORITY = 5

/** @throws {InvalidOptionError} for a priority that there is not */
export function checkPriority(priority: number): void {
  if (Number.isInteger(priority) && priority >= 0 && priority < PRIORITIES) return
  throw new InvalidOptionError('priority', `an integer from 0 to ${PRIORITIES - 1}`, priority)
}

/**
 * First come, first served within a priority; between priorities the more urgent first, with ageing. The default order.
 *
 * Ageing needs no clock and no moving of waiters: who came at `since` with priority p behaves as one of priority 0 who
 * came at `since + p * ageAfter`, and heads of lists are compared by that. Adding, serving and removing are O(1), as the
 * lists are at most ten.
 */
export class PriorityOrder implements WaitOrder {
  size = 0
  readonly #ageAfter: number
  readonly #queues: WaitQueue[] = []
  /** Bit p is set when somebody waits with priority p. */
  #occupied = 0

  constructor(options: PriorityOrderOptions = {}) {
    const { ageAfter = 5_000 } = checkOptions('', options, { ageAfter: true })
    this.#ageAfter = checkNonNegativeOrInfinity('ageAfter', ageAfter)
  }

  check(priority: number): void {
    checkPriority(priority)
  }

  add(waiter: Waiter): void {
    const { priority } = waiter
    if (this.#queues.length === 0) this.#createQueues()
    this.#queues[priority]!.push(waiter)
    this.#occupied |= 1 << priority
    this.size++
  }

  first(): Waiter | undefined {
    let bits = this.#occupied
    if (bits === 0) return undefined
    let best = this.#queues[31 - Math.clz32(bits & -bits)]!.head!
    while ((bits &= bits - 1) !== 0) {
      const other = this.#queues[31 - Math.clz32(bits & -bits)]!.head!
      // Strictly earlier: at equal age the more urgent stays in front. Infinity never is.
      if (other.since + (other.priority - best.priority) * this.#ageAfter < best.since) best = other
    }
    return best
  }

  serve(waiter: Waiter): void {
    this.remove(waiter)
  }

  remove(waiter: Waiter): void {
    const queue = this.#queues[waiter.priority]!
    queue.remove(waiter)
    if (queue.head === undefined) this.#occupied &= ~(1 << waiter.priority)
    this.size--
  }

  costAhead(priority: number): number {
    let cost = 0
    for (let level = 0; level <= priority && level < this.#queues.length; level++) {
      cost += this.#queues[level]!.cost
    }
    return cost
  }

  *[Symbol.iterator](): Generator<Waiter, void, undefined> {
    for (const queue of this.#queues) yield* queue
  }

  #createQueues(): void {
    for (let level = 0; level < PRIORITIES; level++) this.#queues.push(new WaitQueue())
  }
}
