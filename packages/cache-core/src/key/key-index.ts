import type { KeyHasher } from './key-hasher.ts'
import { SlotTable } from './slot-table.ts'

/** Largest number of keys a `Map` holds. */
export const LARGEST_MAP: number = 2 ** 24
/** Longest string in the table: each character has to be hashed, where a `Map` finds the hash with the string. */
const LONGEST_STRING = 32
/**
 * Caches of no more entries than the first and of at least as many as the second have their strings in the table. Reads with strings built anew gain at any
 * size, as a `Map` has to hash those too, and so do sets that evict. Reads with the stored objects lose between the two, where what a `Map` touches is in the
 * processor's cache and the characters are not; beyond, where nothing is, the table is fewer steps that wait for memory. Benchmark cases: cache
 * "in company, Zipf get-or-set", "hit, 1,000,000 strings", "churn, adaptive, 1,000,000 strings".
 */
const MOST_STRINGS = 2 ** 15
const MANY_STRINGS = 2 ** 19

/**
 * Which slot a key has. Integers of 32 bits and, in small and in very large caches, short strings are in a table of our own, where a set
 * that evicts costs less than in a `Map`; all other keys are in a `Map`.
 */
export class KeyIndex<K> {
  hasher: KeyHasher
  /** Hash of the key sought last, if it is one for the table. */
  hash = 0
  readonly #longest: number
  #table = new SlotTable()
  /** Keys that are not in the table. */
  readonly others: Map<K, number> = new Map()

  /** @param entries how many there will be at most; LARGEST_MAP: not known */
  constructor(hasher: KeyHasher, entries: number) {
    this.hasher = hasher
    const isBetween = entries > MOST_STRINGS && entries < MANY_STRINGS
    this.#longest = isBetween || entries === LARGEST_MAP ? -1 : LONGEST_STRING
  }

  /** Whether a key is one for the table. -0 is the integer 0, as it is to a `Map`. */
  isTabled(key: K): boolean {
    if (typeof key === 'string') return key.length <= this.#longest
    return typeof key === 'number' && ((key as number) | 0) === key
  }

  /**
   * The slot, or -1. O(1).
   *
   * @param keys by slot: its key
   */
  get(key: K, keys: readonly (K | undefined)[]): number {
    if (this.isTabled(key)) {
      const hash = this.hasher.hash(key)
      this.hash = hash
      return this.#table.get(hash, key, keys)
    }
    return this.others.get(key) ?? -1
  }

  /**
   * Adds a key that has no slot. Amortized O(1).
   *
   * @param hash the key's, if it is one for the table
   */
  add(key: K, hash: number, slot: number): void {
    if (this.isTabled(key)) this.#table.add(hash, slot)
    else this.others.set(key, slot)
  }

  /** Removes a key from the slot that it has. O(1). */
  delete(key: K, slot: number): void {
    if (this.isTabled(key)) this.#table.delete(slot)
    else this.others.delete(key)
  }

  /** O(n). */
  clear(): void {
    this.#table = new SlotTable()
    this.others.clear()
  }

  /** Slots of all keys, in no particular order. O(n). */
  slots(): number[] {
    return [...this.#table.slots(), ...this.others.values()]
  }
}
