/** A fall that ends a cycle, as a share of the range of all values so far. */
const FALL = 0.3

/**
 * How long the teeth of a gauge are: from one deep fall to the next. A rise is part of a cycle once the value has fallen by
 * {@link FALL} of its range.
 */
export class Cycles {
  #least = Infinity
  #most = -Infinity
  #peak = -Infinity
  #fellAt: number | undefined
  /** ms between the two falls that were furthest apart, or from the start to the first one; 0 before that. */
  longest = 0

  add(time: number, value: number): void {
    this.#fellAt ??= time
    this.#least = Math.min(this.#least, value)
    this.#most = Math.max(this.#most, value)
    this.#peak = Math.max(this.#peak, value)
    if (this.#peak - value <= FALL * (this.#most - this.#least) || this.#most === this.#least)
      return
    this.longest = Math.max(this.longest, time - this.#fellAt)
    this.#fellAt = time
    this.#peak = value
  }
}
