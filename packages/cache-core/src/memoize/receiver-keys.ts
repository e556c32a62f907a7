import { type ArgumentsKey, encodeArguments } from './encode-arguments.ts'

/** Keeps the results of one method apart for the objects it is called on, without keeping the objects. */
export class ReceiverKeys {
  readonly #numbers = new WeakMap<WeakKey, number>()
  #next = 1

  /** `key` for a call on `receiver`; no other receiver and no call without one has the same. O(length of key). */
  qualify(receiver: unknown, key: ArgumentsKey): string {
    // No encoded key goes on with an @, and no other key begins with U+0000.
    return `\u0000@${this.#mark(receiver)}${typeof key === 'number' ? '#' : '$'}${key}`
  }

  #mark(receiver: unknown): string | number {
    if (receiver === null || (typeof receiver !== 'object' && typeof receiver !== 'function')) {
      const encoded = encodeArguments([receiver])
      return `${String(encoded).length}${typeof encoded === 'number' ? 'd' : 's'}${encoded}`
    }
    let number = this.#numbers.get(receiver)
    if (number === undefined) {
      number = this.#next++
      this.#numbers.set(receiver, number)
    }
    return number
  }
}
