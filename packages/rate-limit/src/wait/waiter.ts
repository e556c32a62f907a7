/** One call in a queue, as a {@link WaitOrder} sees it. */
export interface Waiter {
  readonly cost: number
  readonly priority: number
  /** When it began to wait, ms on the limiter's clock. */
  readonly since: number
  readonly key: string | undefined
  /** Links and a note for the order that holds it. */
  prev: Waiter | undefined
  next: Waiter | undefined
  place: unknown
}
