import type { PermitCounter } from './permit-counter.ts'

/** The right to be one of those inside. Give it back once: by `using`, or by `release()`. */
export class Permit {
  /** How long the caller waited for it, in ms. */
  readonly waited: number
  #room: PermitCounter | undefined

  /** @internal */
  constructor(room: PermitCounter, waited: number) {
    this.#room = room
    this.waited = waited
  }

  /** Hands the permit to the next caller. Does nothing the second time. */
  release(): void {
    const room = this.#room
    this.#room = undefined
    room?.leave()
  }

  [Symbol.dispose](): void {
    this.release()
  }
}
