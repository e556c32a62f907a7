import type { LinePlace } from '../wait/line-place.ts'
import type { Waiter } from '../wait/waiter.ts'

/**
 * The arithmetic of one limit, without queue, clock or timer: it is told the time and answers in O(1).
 *
 * A limiter calls {@link tryTake} for whoever need not wait; while callers wait, {@link dueAt} for the first of them and
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
  /** In ms from `now`, until the limit is whole again if nobody comes. */
  resetAfter(now: number): number
  /** {@link dueAt} for the first who waits, who stands in line meanwhile; for meters that depend on others. */
  lineUp?(head: Waiter, now: number, place: LinePlace): number
  /** Has `listener` called when something changes by which waiters could pass earlier; for meters that depend on others. */
  watch?(listener: () => void): void
  unwatch?(listener: () => void): void
}

/** Rounding in sums of many intervals must not cost a caller another timer, ms. */
export const SLACK = 1e-6
