import { checkFunction, checkOptions, checkPositive } from '@millrace/kit'
import { InvalidOptionError } from '../../errors.ts'
import { type Ranked, RankedHeap } from '../line/ranked-heap.ts'
import { WaitQueue } from '../line/wait-queue.ts'
import type { Waiter } from '../waiter.ts'
import type { WaitOrder } from './wait-order.ts'

export interface FairOrderOptions {
  /** A key's share in proportion to the others'; called when a key begins to wait; above 0. Default: 1 for all */
  readonly weight?: ((key: string) => number) | undefined
}

/** The callers of one key; its rank is the start tag of the first of them. */
class Flow implements Ranked {
  index = -1
  rank: number
  readonly weight: number
  readonly queue = new WaitQueue()

  constructor(rank: number, weight: number) {
    this.rank = rank
    this.weight = weight
  }
}

/** Above this many keys those are looked for that no longer wait. */
const SWEEP_FROM = 1_024

/**
 * Shares a limit among keys by weight, whichever asks more often; first come, first served within a key. Callers name
 * their key: `acquire({ key: tenant })`.
 *
 * Start-time fair queueing (Goyal, Vin, Cheng 1996): serving a cost advances its key's tag by cost / weight, and the key
 * with the smallest tag is next. A key that was idle starts at the present tag: it has saved nothing up. O(log keys).
 */
export class FairOrder implements WaitOrder {
  size = 0
  readonly #weight: (key: string) => number
  readonly #flows = new Map<string, Flow>()
  readonly #heap = new RankedHeap<Flow>()
  /** Virtual time: the start tag of what was served last. */
  #now = 0
  #sweepAt = SWEEP_FROM

  constructor(options: FairOrderOptions = {}) {
    const { weight = () => 1 } = checkOptions('', options, { weight: true })
    this.#weight = checkFunction('weight', weight)
  }

  check(_priority: number, key: string | undefined): void {
    if (typeof key !== 'string') throw new InvalidOptionError('key', 'a string', key)
    if (!this.#flows.has(key)) checkPositive(`weight of the key`, this.#weight(key))
  }

  add(waiter: Waiter): void {
    const flow = this.#flow(waiter.key!)
    waiter.place = flow
    if (flow.queue.head === undefined) {
      flow.rank = Math.max(flow.rank, this.#now)
      this.#heap.add(flow)
    }
    flow.queue.push(waiter)
    this.size++
  }

  first(): Waiter | undefined {
    return this.#heap.peek()?.queue.head
  }

  serve(waiter: Waiter): void {
    const flow = waiter.place as Flow
    this.#now = flow.rank
    this.#heap.remove(flow)
    flow.rank += waiter.cost / flow.weight
    flow.queue.remove(waiter)
    if (flow.queue.head !== undefined) this.#heap.add(flow)
    this.#leave()
  }

  remove(waiter: Waiter): void {
    const flow = waiter.place as Flow
    flow.queue.remove(waiter)
    if (flow.queue.head === undefined) this.#heap.remove(flow)
    this.#leave()
  }

  /** Only those of the same key surely come first. */
  costAhead(_priority: number, key: string | undefined): number {
    return this.#flows.get(key as string)?.queue.cost ?? 0
  }

  *[Symbol.iterator](): Generator<Waiter, void, undefined> {
    for (const flow of this.#flows.values()) yield* flow.queue
  }

  #flow(key: string): Flow {
    const known = this.#flows.get(key)
    if (known !== undefined) return known
    if (this.#flows.size >= this.#sweepAt) this.#sweep()
    const flow = new Flow(this.#now, this.#weight(key))
    this.#flows.set(key, flow)
    return flow
  }

  #leave(): void {
    if (--this.size > 0) return
    // No call waits: no key has an advantage to make up for.
    this.#flows.clear()
    this.#now = 0
  }

  /** Forgets keys that wait no more and whose tag is past, as a new flow would start with the same. */
  #sweep(): void {
    for (const [key, flow] of this.#flows) {
      if (flow.queue.head === undefined && flow.rank <= this.#now) this.#flows.delete(key)
    }
    this.#sweepAt = Math.max(SWEEP_FROM, 2 * this.#flows.size)
  }
}
