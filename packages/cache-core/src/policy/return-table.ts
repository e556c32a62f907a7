import type { WindowSizer } from './window-sizer.ts'

const TICK_BITS = 8
const TICK_MASK = 2 ** TICK_BITS - 1
/** Bit that tells keys evicted from the main queue from those refused by it. */
const FROM_MAIN = 2 ** TICK_BITS
/** What is kept of the hash; the place in the table is another part of it. */
const TAG_SHIFT = TICK_BITS + 1

/**
 * Remembers keys that left and when, to learn from those that come back: one word per key, direct mapped, overwritten by
 * the next key of the same place. A wrong match, about one in 2^23, misleads one count of a statistic.
 */
export class ReturnTable {
  #words: Uint32Array = new Uint32Array(0)

  /** A candidate from the window with that stamp was not admitted. O(1). */
  refused(hash: number, stamp: number): void {
    this.#put(hash, stamp & TICK_MASK)
  }

  /** An entry of the main queue made room for a candidate. O(1). */
  admitted(hash: number, now: number): void {
    this.#put(hash, FROM_MAIN | (now & TICK_MASK))
  }

  /** Tells the sizer if a key that comes in now is remembered, and forgets it. O(1). */
  claim(hash: number, sizer: WindowSizer): void {
    const words = this.#words
    const at = this.#place(hash)
    const word = words[at]!
    if (word === 0 || word >>> TAG_SHIFT !== (hash << TAG_SHIFT) >>> TAG_SHIFT) return
    words[at] = 0
    sizer.returned((sizer.now - word) & TICK_MASK, (word & FROM_MAIN) !== 0)
  }

  /** Makes room for that many keys. Keeps what is known when it doubles. O(n). */
  grow(entries: number): void {
    const words = new Uint32Array(entries)
    const scale = this.#words.length / entries
    for (let at = 0; scale !== 0 && at < entries; at++) {
      words[at] = this.#words[Math.floor(at * scale)]!
    }
    this.#words = words
  }

  #put(hash: number, mark: number): void {
    this.#words[this.#place(hash)] = (hash << TAG_SHIFT) | mark
  }

  #place(hash: number): number {
    return ((hash >>> 0) * this.#words.length * 2 ** -32) >>> 0
  }
}
