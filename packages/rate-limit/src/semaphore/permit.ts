import type { PermitCounter } from './permit-counter.ts'

/** The right to be one of those inside, or as many as its weight. Give it back once: by `using`, or by `release()`. */
export class Permit {
  /** How long the call waited for it, in ms. */
  readonly waited: number
  readonly weight: number
  #counter: PermitCounter | undefined

  /** @internal */
  constructor(counter: PermitCounter, weight: number, waited: number) {
    this.#counter = counter
    this.weight = weight
    this.waited = waited
  }

  /** Hands the permit to the next call. Does nothing the second time. */
  release(): void {
    const counter = this.#counter
    this.#counter = undefined
    counter?.leave(this.weight)
  }

  [Symbol.dispose](): void {
    this.release()
  }
}
