import type { Gate } from './gate.ts'
import type { WaitBounds } from './wait-bounds.ts'
import type { Waiter } from './waiter.ts'

/**
 * One call that waits. Its fields are few on purpose: 100,000 of them may wait at once, so that what most waits do
 * not need (a deadline, a signal) lives in a {@link WaitBounds} of its own.
 */
export class PendingCall implements Waiter {
  prev: Waiter | undefined = undefined
  next: Waiter | undefined = undefined
  readonly cost: number
  readonly priority: number
  readonly since: number
  bounds: WaitBounds<PendingCall> | undefined = undefined
  place: unknown = undefined
  readonly key: string | undefined
  /** Settles the call's promise; a rejection is passed as a rejected promise, which saves a closure per call. */
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
