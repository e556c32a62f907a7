import { lengthen } from './lengthen.ts'

/**
 * Remembers the hashes of keys in the order they left, up to a total weight: a ring, and a table
 * with open addressing that finds a hash in it. Two keys with one hash are taken for one another,
 * which costs a misplaced entry and nothing else.
 */
export class GhostQueue {
  /** Total weight remembered at most. */
  capacity = 0
  /** Hashes remembered at most, whatever they weigh: what bounds the memory. */
  limit = 0
  /**
   * Hashes from oldest to newest, wrapping around. Weight -1 marks one that was taken. Length is a
   * power of two.
   */
  #hashes: Int32Array = new Int32Array(16)
  #weights: Float64Array = new Float64Array(16)
  #oldest = 0
  #length = 0
  #weight = 0
  /** Place in the ring + 1, by hash; 0 = free. Twice as long as the ring. */
  #table: Int32Array = new Int32Array(32)

  /** Appends a hash. Amortized O(1). */
  remember(hash: number, weight: number): void {
    this.take(hash)
    while (
      this.#length !== 0 &&
      (this.#weight + weight > this.capacity || this.#length >= this.limit)
    ) {
      this.#dropOldest()
    }
    if (weight > this.capacity || this.limit === 0) return
    if (this.#length === this.#hashes.length) this.#double()
    const place = (this.#oldest + this.#length) & (this.#hashes.length - 1)
    this.#hashes[place] = hash
    this.#weights[place] = weight
    this.#length++
    this.#weight += weight
    this.#table[this.#find(hash)] = place + 1
  }

  /** Forgets a hash; true if it was remembered. O(1). */
  take(hash: number): boolean {
    const at = this.#find(hash)
    const place = this.#table[at]! - 1
    if (place < 0) return false
    this.#weight -= this.#weights[place]!
    this.#weights[place] = -1
    this.#vacate(at)
    return true
  }

  #dropOldest(): void {
    const place = this.#oldest
    this.#oldest = (place + 1) & (this.#hashes.length - 1)
    this.#length--
    if (this.#weights[place]! < 0) return
    this.#weight -= this.#weights[place]!
    this.#vacate(this.#find(this.#hashes[place]!))
  }

  /** Where the hash is in the table, or would be. */
  #find(hash: number): number {
    const table = this.#table
    const mask = table.length - 1
    let at = hash & mask
    while (table[at] !== 0 && this.#hashes[table[at]! - 1] !== hash) at = (at + 1) & mask
    return at
  }

  /**
   * Empties a place of the table and moves up what probing would no longer reach (Knuth 6.4,
   * algorithm R).
   */
  #vacate(hole: number): void {
    const table = this.#table
    const mask = table.length - 1
    for (let at = (hole + 1) & mask; table[at] !== 0; at = (at + 1) & mask) {
      const home = this.#hashes[table[at]! - 1]! & mask
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        table[hole] = table[at]!
        hole = at
      }
    }
    table[hole] = 0
  }

  #double(): void {
    const { length } = this.#hashes
    const hashes = lengthen(this.#hashes, length * 2)
    const weights = lengthen(this.#weights, length * 2)
    for (let index = 0; index < this.#length; index++) {
      const place = (this.#oldest + index) & (length - 1)
      hashes[index] = this.#hashes[place]!
      weights[index] = this.#weights[place]!
    }
    this.#hashes = hashes
    this.#weights = weights
    this.#oldest = 0
    this.#table = new Int32Array(length * 4)
    for (let place = 0; place < this.#length; place++) {
      if (weights[place]! >= 0) this.#table[this.#find(hashes[place]!)] = place + 1
    }
  }
}
