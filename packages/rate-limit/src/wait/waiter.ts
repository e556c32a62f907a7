import type { WaitBounds } from './wait-bounds.ts'
import type { Gate } from './wait-list.ts'

/**
 * One caller in a queue. Its fields are few on purpose: 100,000 of them may wait at once, so that what most waits do
 * not need (a deadline, a signal) lives in a {@link WaitBounds} of its own.
 */
export class Waiter {
  prev: Waiter | undefined = undefined
  next: Waiter | undefined = undefined
  readonly cost: number
  readonly priority: number
  /** When it began to wait, ms on the limiter's clock. */
  readonly since: number
  bounds: WaitBounds | undefined = undefined
  /** Free for the order that holds it. */
  place: unknown = undefined
  readonly key: string | undefined
  /** Settles the caller's promise; a rejection is passed as a rejected promise, which saves a closure per waiter. */
  resolve: (value: unknown) => void = ignore

  constructor(cost: number, priority: number, since: number, key: string | undefined) {
    this.cost = cost
    this.priority = priority
    this.since = since
    this.key = key
  }

  /** Settles it with what the gate makes of its turn. */
  admit(gate: Gate<unknown>, now: number): void {
    this.resolve(gate.admit(this, now))
  }

  reject(error: unknown): void {
    this.resolve(Promise.reject(error))
  }
}

function ignore(): void {}
