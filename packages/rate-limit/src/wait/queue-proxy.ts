import { Waiter } from './waiter.ts'

/**
 * A place in the line of one limit for a caller that waits in the queue of another, which contains it. Its turn is told to
 * that queue, which then decides whether its first caller can pass.
 */
export class StandIn extends Waiter {
  readonly #onTurn: () => void
  /** Whether it is in the line still. */
  standing = true

  constructor({ cost, priority, since }: Waiter, key: string | undefined, onTurn: () => void) {
    super(cost, priority, since, key ?? '')
    this.#onTurn = onTurn
  }

  override admit(): void {
    this.standing = false
    this.#onTurn()
  }

  /** Whoever it stands for is told by its own queue. */
  override reject(): void {
    this.admit()
  }
}
