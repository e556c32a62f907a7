import { types } from 'node:util'

/** Why a value has no canonical form, and where in it: `a function at .rules[2].check`. */
export class NoCanonicalForm extends Error {}

/** What one scratch buffer keeps between values, in bytes. */
const KEPT = 2 ** 20

/**
 * A value as bytes that are the same for equal values, whichever way the engine holds them: `v8.serialize` tells a slice of a text with
 * one `→` in it from the same letters in another text. Objects are told apart by the order of their properties too, which costs a
 * computation and never correctness; of instances the class's name and the own enumerable properties count.
 */
export class CanonicalBytes {
  #buffer = Buffer.allocUnsafe(4_096)
  #length = 0
  #seen = new Map<object, number>()
  readonly #path: (string | number)[] = []
  #clones = true

  /** Whether the structured clone algorithm certainly keeps all of the last value that the bytes tell. */
  get clones(): boolean {
    return this.#clones
  }

  /**
   * The bytes, valid until the next call. O(size of the value).
   *
   * @throws {NoCanonicalForm} for functions, symbols, and instances whose state does not show in properties
   */
  of(value: unknown): Buffer {
    this.#length = 0
    this.#path.length = 0
    this.#clones = true
    if (this.#buffer.length > KEPT) this.#buffer = Buffer.allocUnsafe(4_096)
    try {
      this.#write(value)
    } finally {
      this.#seen.clear()
    }
    return this.#buffer.subarray(0, this.#length)
  }

  #write(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.#string(value)
        break
      case 'number':
        this.#number(value)
        break
      case 'boolean':
        this.#tag(value ? 't' : 'f')
        break
      case 'undefined':
        this.#tag('u')
        break
      case 'bigint':
        this.#tag('i')
        this.#string(value.toString(36))
        break
      case 'object':
        if (value === null) this.#tag('n')
        else this.#object(value)
        break
      default:
        throw this.#none(`a ${typeof value}`)
    }
  }

  #object(value: object): void {
    const earlier = this.#seen.get(value)
    if (earlier !== undefined) {
      this.#tag('r')
      this.#count(earlier)
      return
    }
    this.#seen.set(value, this.#seen.size)
    if (Array.isArray(value)) this.#array(value)
    else if (isPlain(value)) {
      this.#tag('o')
      this.#properties(value)
    } else if (value instanceof Map) this.#pairs('M', value)
    else if (value instanceof Set) this.#pairs('S', value.entries())
    else if (value instanceof Date) {
      this.#tag('D')
      this.#number(value.getTime())
    } else if (value instanceof RegExp) {
      this.#tag('R')
      this.#string(value.source)
      this.#string(value.flags)
    } else if (ArrayBuffer.isView(value)) {
      this.#clones = false
      this.#tag('T')
      this.#string(className(value))
      this.#bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
    } else if (types.isAnyArrayBuffer(value)) {
      this.#clones = false
      this.#tag('B')
      this.#bytes(new Uint8Array(value))
    } else this.#instance(value)
  }

  #instance(value: object): void {
    this.#clones = false
    this.#tag('c')
    this.#string(className(value))
    if (value instanceof Error) {
      this.#string(value.name)
      this.#string(value.message)
      this.#write(value.cause)
    } else if (Object.keys(value).length === 0) {
      throw this.#none(`an instance of ${className(value)} that shows no properties`)
    }
    this.#properties(value)
  }

  #array(value: readonly unknown[]): void {
    this.#tag('a')
    this.#count(value.length)
    for (let index = 0; index < value.length; index++) {
      this.#path.push(index)
      const item = value[index]
      if (item === undefined && !(index in value)) this.#tag('h')
      else this.#write(item)
      this.#path.pop()
    }
  }

  #properties(value: object): void {
    const keys = Object.keys(value)
    this.#count(keys.length)
    for (const key of keys) {
      this.#path.push(key)
      this.#string(key)
      this.#write((value as Record<string, unknown>)[key])
      this.#path.pop()
    }
  }

  #pairs(tag: string, entries: Iterable<[unknown, unknown]>): void {
    this.#tag(tag)
    let index = 0
    for (const [key, value] of entries) {
      this.#path.push(index++)
      this.#tag('p')
      this.#write(key)
      this.#write(value)
      this.#path.pop()
    }
    this.#tag('e')
  }

  #string(text: string): void {
    // Ill-formed strings would all become the same in UTF-8.
    const encoding = text.isWellFormed() ? 'utf8' : 'utf16le'
    this.#reserve(6 + 3 * text.length)
    this.#tag(encoding === 'utf8' ? 's' : 'w')
    const written = this.#buffer.write(text, this.#length + 4, encoding)
    this.#count(written)
    this.#length += written
  }

  #number(value: number): void {
    this.#reserve(9)
    this.#tag('d')
    this.#length = this.#buffer.writeDoubleLE(value, this.#length)
  }

  #bytes(bytes: Uint8Array): void {
    this.#count(bytes.length)
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #count(count: number): void {
    this.#reserve(4)
    this.#length = this.#buffer.writeUInt32LE(count, this.#length)
  }

  #tag(tag: string): void {
    this.#reserve(1)
    this.#buffer[this.#length++] = tag.charCodeAt(0)
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(2 * (this.#length + bytes))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }

  #none(what: string): NoCanonicalForm {
    const place = this.#path.map(step => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    return new NoCanonicalForm(place.length === 0 ? what : `${what} at ${place.join('')}`)
  }
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function className(value: object): string {
  const made = value.constructor
  return typeof made === 'function' ? made.name : ''
}
