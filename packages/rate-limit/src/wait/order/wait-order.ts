import type { Waiter } from '../waiter.ts'

/**
 * In which order waiting callers are served. One instance serves one limiter. An order only arranges waiters: when the
 * first of them may pass is the limiter's business.
 */
export interface WaitOrder {
  readonly size: number
  /** Checks a caller's priority and key. @throws {InvalidOptionError} naming the option */
  check(priority: number, key: string | undefined): void
  add(waiter: Waiter): void
  /** Who is served next; the same waiter until the set of waiters changes. */
  first(): Waiter | undefined
  /** Takes out the first, whose turn it is. */
  serve(waiter: Waiter): void
  /** Takes out one that no longer waits. */
  remove(waiter: Waiter): void
  /** Cost of those who will surely be served before a caller that came now: a lower bound, exact for one priority. */
  costAhead(priority: number, key: string | undefined): number
  /** All waiters, in no particular order. */
  [Symbol.iterator](): Iterator<Waiter>
}
