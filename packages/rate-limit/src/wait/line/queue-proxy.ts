import { PendingCall } from '../pending-call.ts'
import type { Waiter } from '../waiter.ts'

/**
 * Stands in the line of one limit for a call that waits in the queue of another, which contains it. Its turn is told to
 * that queue, which then decides whether its first call can pass.
 */
export class QueueProxy extends PendingCall {
  readonly #onTurn: () => void
  /** Whether it is in the line still. */
  standing = true
  /** Whether it stands before the line's own order, because it has had a turn there. */
  readonly returned: boolean
  /** Whether its turn has come and the line waits with it for another limit. */
  held = false

  constructor(
    { cost, priority, since }: Waiter,
    key: string | undefined,
    returned: boolean,
    onTurn: () => void,
  ) {
    super(cost, priority, since, key ?? '')
    this.returned = returned
    this.#onTurn = onTurn
  }

  override admit(): void {
    this.standing = false
    this.#onTurn()
  }

  /** The call it stands for is told by its own queue. */
  override reject(): void {
    this.admit()
  }
}
