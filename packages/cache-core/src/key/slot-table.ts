import { lengthen } from '../policy/lengthen.ts'

/** Two words per slot: the hash of its key, and the next slot of its chain plus one; 0 for none. Side by side for the processor's cache. */
const WORD_BITS = 1
const NEXT = 1
/** Slots of a table that has got its first key. */
const FEWEST_SLOTS = 64

/**
 * A hash table of chains through the slots of a cache: which slot has a key, by a hash of 32 bits that the caller made. 16 to 24
 * bytes per slot. Removing a key and adding another writes four words, where a `Map` keeps what leaves until it is built anew.
 * Benchmark case: cache "churn".
 */
export class SlotTable {
  /** First slot of each chain, plus one; 0 for none. Two to four times as many as slots. */
  #heads: Int32Array = new Int32Array(2)
  #links: Int32Array = new Int32Array(0)
  /** By how much a hash is shifted to be a place in `#heads`. */
  #shift = 31

  /**
   * The slot of the key, or -1. O(1), expected.
   *
   * @param keys by slot: its key
   */
  get(hash: number, key: unknown, keys: readonly unknown[]): number {
    const links = this.#links
    let slot = this.#heads[hash >>> this.#shift]! - 1
    while (slot !== -1 && (links[slot << WORD_BITS] !== hash || keys[slot] !== key)) {
      slot = links[(slot << WORD_BITS) | NEXT]! - 1
    }
    return slot
  }

  /** Adds a slot that is not in the table. Amortized O(1). */
  add(hash: number, slot: number): void {
    if (slot << WORD_BITS >= this.#links.length) this.#grow(Math.max(slot + 1, this.#links.length))
    this.#link(hash, slot)
  }

  /** Removes a slot that is in the table. O(1), expected. */
  delete(slot: number): void {
    const links = this.#links
    const place = links[slot << WORD_BITS]! >>> this.#shift
    const next = links[(slot << WORD_BITS) | NEXT]!
    let at = this.#heads[place]! - 1
    if (at === slot) {
      this.#heads[place] = next
      return
    }
    while (links[(at << WORD_BITS) | NEXT] !== slot + 1) at = links[(at << WORD_BITS) | NEXT]! - 1
    links[(at << WORD_BITS) | NEXT] = next
  }

  /** All slots, in no particular order. O(n). */
  slots(): number[] {
    const slots: number[] = []
    for (const head of this.#heads) {
      for (let slot = head - 1; slot !== -1; slot = this.#links[(slot << WORD_BITS) | NEXT]! - 1) {
        slots.push(slot)
      }
    }
    return slots
  }

  #grow(slots: number): void {
    const held = this.slots()
    const bits = 33 - Math.clz32(Math.max(slots, FEWEST_SLOTS) - 1)
    this.#links = lengthen(this.#links, 2 ** (bits - 1 + WORD_BITS))
    this.#heads = new Int32Array(2 ** bits)
    this.#shift = 32 - bits
    for (const slot of held) this.#link(this.#links[slot << WORD_BITS]!, slot)
  }

  #link(hash: number, slot: number): void {
    const place = hash >>> this.#shift
    this.#links[slot << WORD_BITS] = hash
    this.#links[(slot << WORD_BITS) | NEXT] = this.#heads[place]!
    this.#heads[place] = slot + 1
  }
}
