const samples = 8
const enough = 4
/** Share of the age at which a server closes that a connection is still trusted for. */
const trusted = 0.8
/** After a restart of the server, or a change of its configuration, what was learned has to wear off. */
const relaxation = 1.1

/**
 * Learns how long a server keeps idle connections, where it gives no hint, from the ages at which it closed
 * them. Beyond four fifths of that, a connection is not used again: a request that is no longer allowed to
 * be repeated must not meet the close on its way.
 */
export class IdleLimit {
  readonly #ages: number[] = []
  #value = Number.POSITIVE_INFINITY

  /** In ms, Infinity while nothing is known. */
  get value(): number {
    return this.#value
  }

  /** The other side closed a connection that had been idle for `age` ms. */
  onClosed(age: number): void {
    this.#ages.push(age)
    if (this.#ages.length > samples) this.#ages.shift()
    if (this.#ages.length < enough) return
    const sorted = this.#ages.toSorted((a, b) => a - b)
    this.#value = trusted * sorted[sorted.length >> 1]!
  }

  /** A connection was given up because of this limit. */
  onRetired(): void {
    this.#value *= relaxation
  }
}
