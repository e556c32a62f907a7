import { type ArgumentsKey, encodeArguments } from '../key/encode-arguments.ts'

/** Number of the first receiver, whose keys stay as they are. */
const FIRST = 0

/**
 * Keeps the results of one function apart for the objects it is called on, without keeping the objects.
 *
 * Most functions are only ever called on one object, or on none: the first receiver's keys stay as they are, as to qualify one
 * costs more than the whole hit.
 */
export class ReceiverKeys {
  readonly #numbers = new WeakMap<WeakKey, number>()
  #next = FIRST
  /** Number of calls on nothing, once there was one. */
  #ofNothing: number | undefined

  /** `key` for a call on `receiver`; no other receiver has the same. O(length of key). */
  qualify(receiver: unknown, key: ArgumentsKey): ArgumentsKey {
    const mark = this.#mark(receiver)
    if (mark === FIRST) return key
    // No encoded key goes on with an @, and no other key begins with U+0000.
    return `\u0000@${mark}${typeof key === 'number' ? '#' : '$'}${key}`
  }

  #mark(receiver: unknown): string | number {
    if (receiver === undefined) return (this.#ofNothing ??= this.#next++)
    if (!isObject(receiver)) {
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

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}
