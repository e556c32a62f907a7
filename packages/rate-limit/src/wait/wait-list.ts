import {
  type Clock,
  checkIntegerOrInfinity,
  checkMethods,
  InvalidOptionError,
  setAwaitedTimer,
  type Timer,
} from '@millrace/kit'
import {
  AcquireTimeoutError,
  LimiterClosedError,
  QueueFullError,
  RateLimitedError,
} from '../errors.ts'
import { type AcquireOptions, checkAcquireOptions } from './acquire-options.ts'
import { hasWaitSubscribers, publishRefusal, publishWait } from './channels.ts'
import type { Gate } from './gate.ts'
import { QueueProxy } from './line/queue-proxy.ts'
import { RankedHeap } from './line/ranked-heap.ts'
import { WaitQueue } from './line/wait-queue.ts'
import { DEFAULT_PRIORITY, PriorityOrder } from './order/priority-order.ts'
import type { WaitOrder } from './order/wait-order.ts'
import { PendingCall } from './pending-call.ts'
import { SLACK } from './slack.ts'
import { WaitBounds } from './wait-bounds.ts'
import type { Waiter } from './waiter.ts'

export interface WaitListOptions {
  readonly name: string
  readonly clock: Clock
  readonly order?: WaitOrder | undefined
  readonly maxQueue?: number | undefined
}

/** More grants than this in one go would keep I/O waiting; the rest follow after a turn of the event loop. */
const GRANTS_PER_TURN = 1_000

/**
 * The callers that wait for one limit, served by one timer for all of them.
 *
 * Times are not assigned on arrival: only the first waiter's due time is ever computed, so that a call that leaves (abort,
 * timeout) is unlinked in O(1) and all behind move up.
 */
export class WaitList<T> {
  readonly #gate: Gate<T>
  readonly #clock: Clock
  readonly #order: WaitOrder
  /** Proxies that come back after a turn, first those that hold the line. */
  readonly #returned = new WaitQueue()
  #returns = 0
  readonly #deadlines = new RankedHeap<WaitBounds<PendingCall>>()
  readonly #name: string
  readonly #maxQueue: number
  #timer: Timer | undefined = undefined
  /** When the timer fires; Infinity when none is set. */
  #wakeAt = Infinity
  #closed = false
  /** Calls refused at once: impossible deadline, full queue. */
  refused = 0
  /** Waits that outlasted their deadline. */
  timeouts = 0
  aborts = 0

  constructor(gate: Gate<T>, { name, clock, order, maxQueue = Infinity }: WaitListOptions) {
    this.#gate = gate
    this.#name = name
    this.#clock = clock
    this.#order = order === undefined ? new PriorityOrder() : claim(order)
    this.#maxQueue = checkIntegerOrInfinity('maxQueue', maxQueue, 0)
  }

  /** How many wait. */
  get size(): number {
    return this.#order.size + this.#returns
  }

  /** The first in line. */
  get first(): Waiter | undefined {
    return this.#returned.head ?? this.#order.first()
  }

  /** Until when the first in line is willing to wait, ms on the clock; Infinity for no limit. */
  get firstDeadline(): number {
    return (this.first as PendingCall | undefined)?.bounds?.rank ?? Infinity
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Whether nothing waits, and a call that comes now may pass if the limit lets it. */
  get vacant(): boolean {
    return !this.#closed && this.size === 0
  }

  /** @throws {LimiterClosedError} */
  checkOpen(): void {
    if (this.#closed) throw new LimiterClosedError(this.#name)
  }

  /** Cost of those who will surely be served before a caller that came now. */
  costAhead(priority: number = DEFAULT_PRIORITY, key?: string): number {
    return this.#order.costAhead(priority, key) + this.#returned.cost
  }

  /**
   * Whether a caller may pass at once if the limit lets it: no call waits, and {@link wait} would not refuse its options. A
   * mistake in them must not come to light only under load.
   */
  admits(options: AcquireOptions | undefined): boolean {
    return this.vacant && !options?.signal?.aborted && this.#invalid(options) === undefined
  }

  /**
   * Waits for `cost`. The gate must have refused it just now, or others wait.
   *
   * @throws (by rejection) RateLimitedError at once when the wait is known to exceed the timeout
   */
  wait(cost: number, options: AcquireOptions | undefined): Promise<T> {
    const priority = options?.priority ?? DEFAULT_PRIORITY
    const refusal = this.#refusal(cost, priority, options)
    if (refusal !== undefined) return Promise.reject(refusal)
    // Without a closure for each: benchmark case "jobs, 1,000 at once".
    if (!hasWaitSubscribers()) return this.#enqueue(cost, priority, options)
    return publishWait(this.#name, cost, priority, this.#clock, () =>
      this.#enqueue(cost, priority, options),
    )
  }

  /** Lets through what is due, ends waits whose deadline has passed, and sets the timer for what comes next. */
  serve(): void {
    // A clock read is a good part of what a job through a semaphore costs: benchmark case "jobs, one by one".
    const now = this.#gate.timed || this.#deadlines.size > 0 ? this.#clock.now() : 0
    let next = this.#grant(now)
    // Behind one that has timed out there may be one that asks for less and is due.
    while (this.#expire(now) && next > now) next = this.#grant(now)
    this.#wake(Math.min(next, this.#earliestDeadline), now)
  }

  /** Has a call of another queue wait in this line. Neither `maxQueue` nor closing keeps it out. See {@link Line}. */
  join(head: Waiter, key: string | undefined, returned: boolean, onTurn: () => void): QueueProxy {
    const now = this.#clock.now()
    const proxy = new QueueProxy(head, key, returned, onTurn)
    if (returned) {
      this.#returned.push(proxy)
      this.#returns++
    } else this.#order.add(proxy)
    if (this.first === proxy) this.#wake(this.#dueAt(proxy, now), now)
    return proxy
  }

  /** Lets nothing pass before the proxy has left. */
  hold(head: Waiter): QueueProxy {
    const proxy = new QueueProxy(head, undefined, true, ignore)
    proxy.held = true
    this.#returned.unshift(proxy)
    this.#returns++
    return proxy
  }

  leave(proxy: QueueProxy): void {
    proxy.standing = false
    this.#unlink(proxy)
    this.serve()
  }

  /** Ends the waits for which `doomed` gives an error, such as those that a changed limit can never satisfy. */
  evict(doomed: (waiter: Waiter) => Error | undefined): void {
    for (const waiter of [...this.#returned, ...this.#order] as PendingCall[]) {
      const error = doomed(waiter)
      if (error !== undefined && !(waiter as QueueProxy).held) this.#reject(waiter, error)
    }
  }

  /** Ends every wait with {@link LimiterClosedError} and refuses further ones. */
  close(): void {
    this.#closed = true
    this.evict(() => new LimiterClosedError(this.#name))
    this.serve()
  }

  /** Admits those who are due. @returns when to look again; Infinity if no call waits or no clock can tell */
  #grant(now: number): number {
    const order = this.#order
    let grants = 0
    for (;;) {
      const returned = this.#returned.head as QueueProxy | undefined
      if (returned?.held) return Infinity
      const head = (returned ?? order.first()) as PendingCall | undefined
      if (head === undefined) return Infinity
      const due = this.#dueAt(head, now)
      if (due > now + SLACK) return due
      if (++grants > GRANTS_PER_TURN) return now
      if (returned === undefined) order.serve(head)
      else this.#unlink(returned)
      this.#release(head)
      head.admit(this.#gate, now)
    }
  }

  #refusal(cost: number, priority: number, options: AcquireOptions | undefined): unknown {
    if (this.#closed) return new LimiterClosedError(this.#name)
    const invalid = this.#invalid(options)
    if (invalid !== undefined) return invalid
    if (options?.signal?.aborted) {
      this.aborts++
      return options.signal.reason
    }
    const timeout = options?.timeout ?? Infinity
    if (timeout < Infinity) {
      const now = this.#clock.now()
      const ahead = this.costAhead(priority, options?.key)
      const wait = this.#gate.dueAt(cost, ahead, now) - now
      const known = wait < Infinity
      if (known ? wait > timeout + SLACK : timeout === 0) {
        this.refused++
        const error = known
          ? new RateLimitedError(this.#name, wait)
          : new AcquireTimeoutError(this.#name, 0)
        publishRefusal(this.#name, cost, wait, error)
        return error
      }
    }
    if (this.size >= this.#maxQueue) {
      this.refused++
      const error = new QueueFullError(this.#name, this.#maxQueue)
      publishRefusal(this.#name, cost, Infinity, error)
      return error
    }
    return undefined
  }

  #invalid(options: AcquireOptions | undefined): unknown {
    try {
      this.#order.check(options?.priority ?? DEFAULT_PRIORITY, options?.key)
      if (options !== undefined) checkAcquireOptions(options)
      return undefined
    } catch (error) {
      return error
    }
  }

  #enqueue(cost: number, priority: number, options: AcquireOptions | undefined): Promise<T> {
    const now = this.#clock.now()
    const waiter = new PendingCall(cost, priority, now, options?.key)
    const promise = new Promise<unknown>(resolve => {
      waiter.resolve = resolve
    }) as Promise<T>
    if (options?.timeout !== undefined || options?.signal !== undefined) {
      const deadline = now + (options.timeout ?? Infinity)
      waiter.bounds = new WaitBounds(waiter, deadline, options.signal, this.#onAbort)
      if (deadline < Infinity) this.#deadlines.add(waiter.bounds)
    }
    this.#order.add(waiter)
    if (this.first === waiter) this.#wake(this.#dueAt(waiter, now), now)
    if (waiter.bounds !== undefined) this.#wake(this.#earliestDeadline, now)
    return promise
  }

  #dueAt(head: Waiter, now: number): number {
    return this.#gate.lineUp?.(head, now) ?? this.#gate.dueAt(head.cost, 0, now)
  }

  /** Sets the timer for `at` unless it is set for an earlier time; takes it back when no call waits. */
  #wake(at: number, now: number): void {
    if (this.size === 0) {
      this.#timer?.cancel()
      this.#timer = undefined
      this.#wakeAt = Infinity
      this.#gate.idle?.()
    } else if (at < this.#wakeAt) {
      this.#timer?.cancel()
      this.#wakeAt = at
      this.#timer = setAwaitedTimer(this.#clock, this.#onTimer, Math.max(0, at - now))
    }
  }

  get #earliestDeadline(): number {
    return this.#deadlines.peek()?.rank ?? Infinity
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    this.#wakeAt = Infinity
    this.serve()
  }

  readonly #onAbort = (waiter: PendingCall, reason: unknown): void => {
    this.aborts++
    this.#reject(waiter, reason)
    this.serve()
  }

  /** @returns whether a deadline has passed */
  #expire(now: number): boolean {
    const before = this.timeouts
    for (let bounds = this.#deadlines.peek(); bounds; bounds = this.#deadlines.peek()) {
      if (bounds.rank > now) break
      this.timeouts++
      this.#reject(bounds.waiter, new AcquireTimeoutError(this.#name, now - bounds.waiter.since))
    }
    return this.timeouts > before
  }

  #reject(waiter: PendingCall, error: unknown): void {
    this.#unlink(waiter)
    this.#release(waiter)
    waiter.reject(error)
  }

  #unlink(waiter: PendingCall): void {
    if (waiter instanceof QueueProxy && waiter.returned) {
      this.#returned.remove(waiter)
      this.#returns--
    } else this.#order.remove(waiter)
  }

  #release(waiter: PendingCall): void {
    const { bounds } = waiter
    if (bounds === undefined) return
    bounds.release()
    this.#deadlines.remove(bounds)
  }
}

function ignore(): void {}

const claimed = new WeakSet<WaitOrder>()

const ORDER_METHODS = ['check', 'add', 'first', 'serve', 'remove', 'costAhead']

/** An order that served two limiters would hand the waiters of one to the other. */
function claim(order: WaitOrder): WaitOrder {
  checkMethods('order', order, 'a WaitOrder', ORDER_METHODS)
  if (claimed.has(order)) {
    throw new InvalidOptionError('order', 'an order that no other limiter has', order)
  }
  claimed.add(order)
  return order
}
