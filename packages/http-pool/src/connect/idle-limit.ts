const SAMPLES = 8
const ENOUGH = 4
/** Share of the age at which a server closes that a connection is still trusted for. */
const TRUSTED = 0.8
/** After a restart of the server, or a change of its configuration, what was learned has to wear off. */
const RELAXATION = 1.1

/**
 * Learns how long a server keeps idle connections, where it gives no hint, from the ages at which it closed
 * them. Beyond four fifths of that, a connection is not used again: a request that is no longer allowed to
 * be repeated must not meet the close on its way.
 */
export class IdleLimit {
  readonly #ages: number[] = []
  #value = Infinity

  /** In ms, Infinity while nothing is known. */
  get value(): number {
    return this.#value
  }

  /** The other side closed a connection that had been idle for `age` ms. */
  onClosed(age: number): void {
    this.#ages.push(age)
    if (this.#ages.length > SAMPLES) this.#ages.shift()
    if (this.#ages.length < ENOUGH) return
    const sorted = this.#ages.toSorted((a, b) => a - b)
    this.#value = TRUSTED * sorted[sorted.length >> 1]!
  }

  /** A connection was given up because of this limit. */
  onRetired(): void {
    this.#value *= RELAXATION
  }
}
