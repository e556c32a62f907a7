import type { Waiter } from '../waiter.ts'
import type { Line } from './line.ts'
import type { QueueProxy } from './queue-proxy.ts'

/**
 * Where the first call of a queue stands among others that want the same limits: in one line at a time, beside those it
 * holds. It belongs to the queue, not to the call: a successor of the same cost goes on with it.
 */
export class LinePlace<L extends Line> {
  readonly #onTurn: () => void
  #cost = Number.NaN
  #line: L | undefined = undefined
  #proxy: QueueProxy | undefined = undefined
  readonly #held = new Map<L, QueueProxy>()
  /** Lines in which it has had a turn. */
  readonly #visited = new Set<L>()
  #called: L | undefined = undefined

  /** @param onTurn called when its turn has come, to serve the queue */
  constructor(onTurn: () => void) {
    this.#onTurn = onTurn
  }

  /** Whether it stands in a line and waits for its turn there. */
  get standing(): boolean {
    return this.#proxy?.standing ?? false
  }

  /** The line in which its turn has just come. Answers once only. */
  takeTurn(): L | undefined {
    const called = this.#called
    this.#called = undefined
    return called
  }

  visited(line: L): boolean {
    return this.#visited.has(line)
  }

  /** Leaves everything if the queue's first call costs something else than the one before. */
  serves(cost: number): void {
    if (cost !== this.#cost) this.leave()
    this.#cost = cost
  }

  /** Has `head` stand in a line, unless it stands in one already. */
  stand(head: Waiter, key: string | undefined, line: L): void {
    if (this.standing) return
    const held = this.#held.get(line)
    if (held !== undefined) {
      // What it held has been taken from it.
      this.#held.delete(line)
      line.leave(held)
    }
    this.#line = line
    this.#proxy = line.join(head, key, this.#visited.has(line), () => this.#call(line))
  }

  /** Has a line wait with it, in which its turn has come. */
  hold(head: Waiter, line: L): void {
    if (!this.#held.has(line)) this.#held.set(line, line.hold(head))
  }

  leave(): void {
    this.#visited.clear()
    this.#called = undefined
    const proxy = this.#proxy
    this.#proxy = undefined
    if (proxy?.standing) this.#line!.leave(proxy)
    if (this.#held.size === 0) return
    const held = [...this.#held]
    this.#held.clear()
    for (const [line, holder] of held) line.leave(holder)
  }

  #call(line: L): void {
    this.#visited.add(line)
    this.#called = line
    this.#onTurn()
    this.#called = undefined
  }
}
