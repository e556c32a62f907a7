import type { LimitPart } from '../limiter/metered-limiter.ts'
import type { StandIn } from './queue-proxy.ts'
import type { Waiter } from './waiter.ts'

/** Where the first caller of a queue stands among others that want the same limit: in one line at a time. */
export class LinePlace {
  readonly #onTurn: () => void
  #part: LimitPart | undefined = undefined
  #standIn: StandIn | undefined = undefined
  #called = false

  /** @param onTurn called when its turn has come, to serve the queue */
  constructor(onTurn: () => void) {
    this.#onTurn = onTurn
  }

  /** Whether its turn has just come. True for one question only. */
  takeTurn(): boolean {
    const called = this.#called
    this.#called = false
    return called
  }

  /**
   * Has `head` stand in a line, unless one of the same cost does so already: its place is the queue's.
   *
   * @param key whose turn it is there, where the limit is shared among keys
   */
  stand(head: Waiter, key: string | undefined, part: LimitPart): void {
    if (this.#standIn?.standing && this.#standIn.cost === head.cost) return
    this.leave()
    this.#part = part
    this.#standIn = part.stand(head, key, this.#call)
  }

  leave(): void {
    if (this.#standIn?.standing) this.#part!.leave(this.#standIn)
    this.#standIn = undefined
  }

  readonly #call = (): void => {
    this.#called = true
    this.#onTurn()
    this.#called = false
  }
}
