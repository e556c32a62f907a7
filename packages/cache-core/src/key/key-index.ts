import { IntegerIndex } from './integer-index.ts'

/** Which slot a key has: integers of 32 bits in a table of our own, which is faster, all other keys in a `Map`. */
export class KeyIndex<K> {
  readonly #integers = new IntegerIndex()
  readonly #others = new Map<K, number>()

  /** The slot, or -1. O(1). */
  get(key: K): number {
    if (isInteger(key)) return this.#integers.get(key)
    const slot = this.#others.get(key)
    return slot === undefined ? -1 : slot
  }

  /** Adds a key that has no slot. Amortized O(1). */
  add(key: K, slot: number): void {
    if (isInteger(key)) this.#integers.add(key, slot)
    else this.#others.set(key, slot)
  }

  /** Removes a key from the slot that it has. O(1). */
  delete(key: K, slot: number): void {
    if (isInteger(key)) this.#integers.delete(key, slot)
    else this.#others.delete(key)
  }

  /** O(n). */
  clear(): void {
    this.#integers.clear()
    this.#others.clear()
  }

  /** Keys with their slots; those removed meanwhile do not appear, those added may. O(n). */
  *[Symbol.iterator](): IterableIterator<[K, number]> {
    yield* this.#others
    for (const key of this.#integers.keys() as K[]) {
      const slot = this.get(key)
      if (slot !== -1) yield [key, slot]
    }
  }
}

/** -0 is the integer 0, as it is to a `Map`. */
function isInteger(key: unknown): key is number {
  return typeof key === 'number' && (key | 0) === key
}
