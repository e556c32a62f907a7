import type { Waiter } from '../wait/waiter.ts'

/**
 * The arithmetic of one limit, without queue, clock or timer: it is told the time and answers in O(1).
 *
 * A limiter calls {@link tryTake} for what need not wait; while calls wait, {@link dueAt} for the first of them and
 * {@link take} once that time has come.
 */
export interface Meter {
  /** The largest cost that can ever pass. */
  readonly maxCost: number
  /** Whether `cost` can be spent at `now`. */
  canTake(cost: number, now: number): boolean
  /** Spends `cost` if that is possible at `now`. */
  tryTake(cost: number, now: number): boolean
  /** When `cost` could pass after `ahead` has, in ms: any time up to `now` if it could pass now. */
  dueAt(cost: number, ahead: number, now: number): number
  /** Spends `cost` for a waiter that is due at `now`. */
  take(cost: number, now: number): void
  /** Gives `cost` back; never lets more than the limit be saved up. */
  refund(cost: number, now: number): void
  /** What could pass at once at `now`; negative after limits were lowered. */
  available(now: number): number
  /** In ms from `now`, until the limit is whole again if nothing passes. */
  resetAfter(now: number): number
  /** How long the first in line waits for `cost` at most while others use the limit up, in ms. */
  pace(cost: number): number
  /** For a meter made of others: is told once how the queue in front of it is served. */
  attach?(serve: () => void): void
  /** {@link dueAt} for the first that waits, which stands in other lines meanwhile: Infinity until it is its turn there. */
  lineUp?(head: Waiter, now: number): number
  /** What {@link lineUp} stood for has passed, or nothing waits any more. */
  leave?(): void
  /** Keeps what is free for `head`, which waits elsewhere, until {@link leave}. */
  hold?(head: Waiter): void
  /** Has `listener` called when something changes by which waiters could pass earlier. */
  watch?(listener: () => void): void
  unwatch?(listener: () => void): void
}
