/**
 * What a call says about the load of its peer:
 * - `'success'`: its duration counts
 * - `'dropped'`: the peer is overloaded; timeouts, 429 and 503 are
 * - `'ignored'`: nothing, such as a call that was cancelled or refused before it was sent
 */
export type Outcome = 'success' | 'dropped' | 'ignored'

/** A permit whose holder tells how it went. */
export class AdaptivePermit {
  /** How long the caller waited for it, in ms. */
  readonly waited: number
  #finish: ((outcome: Outcome) => void) | undefined

  /** @internal */
  constructor(waited: number, finish: (outcome: Outcome) => void) {
    this.waited = waited
    this.#finish = finish
  }

  /** Gives the permit back. Does nothing the second time. */
  release(outcome: Outcome = 'success'): void {
    const finish = this.#finish
    this.#finish = undefined
    finish?.(outcome)
  }

  [Symbol.dispose](): void {
    this.release()
  }
}
