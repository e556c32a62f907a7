import type { Waiter } from './waiter.ts'

/** What a queue asks of the limit its calls wait for. */
export interface Gate<T> {
  /** Whether time alone opens it; if not, nothing is awaited but releases and deadlines. */
  readonly timed: boolean
  /**
   * When `cost` could pass after `ahead` has, ms on the clock, at any time after now if it is possible now; Infinity
   * when no clock can tell, because a release must come first.
   */
  dueAt(cost: number, ahead: number, now: number): number
  /** Takes the cost for a waiter that is due and makes what its call receives. */
  admit(waiter: Waiter, now: number): T
  /** The same for the first in line, which may have to stand in other lines for it. Default: {@link dueAt} */
  lineUp?(head: Waiter, now: number): number
  /** Called when nothing waits any more. */
  idle?(): void
}
