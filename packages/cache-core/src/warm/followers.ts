/** Uses of a key after which its counts are halved, so that new habits replace old ones. */
const AGED_AT = 64

/**
 * The keys most often used after one key, in a bounded number of counters (Misra and Gries, 1982): a key that is met while all are taken
 * lowers them all, so that what follows by chance does not stay, and counts are never too high.
 */
export class Followers<K> {
  readonly #keys: K[] = []
  readonly #counts: number[] = []
  readonly #most: number
  /** Uses of the key itself. */
  #uses = 0

  constructor(most: number) {
    this.#most = most
  }

  /** The key itself was used: whatever comes now may be a follower. */
  begin(): void {
    this.#uses++
    if (this.#uses < AGED_AT) return
    this.#uses /= 2
    for (let at = 0; at < this.#counts.length; at++) this.#counts[at]! /= 2
  }

  count(key: K): void {
    const at = this.#keys.indexOf(key)
    if (at !== -1) {
      this.#counts[at]!++
      return
    }
    if (this.#keys.length < this.#most) {
      this.#keys.push(key)
      this.#counts.push(1)
      return
    }
    for (let other = this.#keys.length - 1; other >= 0; other--) {
      if (--this.#counts[other]! > 0) continue
      this.#keys.splice(other, 1)
      this.#counts.splice(other, 1)
    }
  }

  /**
   * Followers with the share of the uses that they followed, if that is at least `least`, the most likely one first. One use is no habit:
   * each share is that of one use more, which nothing followed.
   */
  likely(least: number): [key: K, probability: number][] {
    const found: [K, number][] = []
    for (const [at, key] of this.#keys.entries()) {
      const probability = Math.min(1, this.#counts[at]! / (this.#uses + 1))
      if (probability >= least) found.push([key, probability])
    }
    return found.sort((a, b) => b[1] - a[1])
  }
}
