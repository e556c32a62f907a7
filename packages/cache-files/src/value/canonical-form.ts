import { types } from 'node:util'
import { contentHash } from './content-hash.ts'

/** Why a value has no canonical form, and where in it: `a function at .rules[2].check`. */
export class NoCanonicalForm extends Error {}

/**
 * A value as text that is the same for equal values, whichever way the engine holds them: `v8.serialize` tells a slice of a text with
 * one `→` in it from the same letters in another text. Objects are told apart by the order of their properties too, which costs a
 * computation and never correctness. What counts are own enumerable properties, of instances the class's name too, of errors all own properties but
 * the stack, and of views of buffers their bytes alone.
 *
 * Each part says by its first letter what it is and, where that is not clear, how long: no two values have the same text. Benchmark case:
 * files "cold run of an analysis", where most of this runs before it is compiled: hence one text that grows, by native calls as few as can be.
 */
export class CanonicalForm {
  #text = ''
  #seen = new Map<object, number>()
  /** Where in the value it is; only while the place of an error is sought. */
  #path: (string | number)[] | undefined
  #clones = true

  /** Whether the structured clone algorithm certainly keeps all of the last value that the text tells. */
  get clones(): boolean {
    return this.#clones
  }

  /**
   * The text: well formed. O(size of the value).
   *
   * @throws {NoCanonicalForm} for functions, symbols, and instances whose state does not show in properties
   */
  of(value: unknown): string {
    this.#clones = true
    try {
      this.#write(value)
      return this.#text
    } catch (error) {
      if (error instanceof NoCanonicalForm) this.#find(value)
      throw error
    } finally {
      this.#text = ''
      this.#seen.clear()
    }
  }

  /** Throws the error of a value without a canonical form, with its place. */
  #find(value: unknown): void {
    this.#seen.clear()
    this.#path = []
    try {
      this.#write(value)
    } finally {
      this.#path = undefined
    }
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
        this.#text += value ? 't' : 'f'
        break
      case 'undefined':
        this.#text += 'u'
        break
      case 'bigint':
        this.#text += `i${value};`
        break
      case 'object':
        if (value === null) this.#text += 'n'
        else this.#object(value)
        break
      default:
        throw this.#none(`a ${typeof value}`)
    }
  }

  #object(value: object): void {
    const earlier = this.#seen.get(value)
    if (earlier !== undefined) {
      this.#text += `r${earlier};`
      return
    }
    this.#seen.set(value, this.#seen.size)
    if (Array.isArray(value)) {
      if (value.constructor !== Array) this.#subclass(value, 'Array')
      this.#symbols(value)
      this.#array(value)
    } else if (isPlain(value)) {
      this.#text += 'o'
      this.#symbols(value)
      this.#properties(value)
    } else if (value instanceof Map) {
      this.#builtIn(value, 'Map')
      this.#pairs('M', value)
    } else if (value instanceof Set) {
      this.#builtIn(value, 'Set')
      this.#pairs('S', value.entries())
    } else if (value instanceof Date) {
      this.#builtIn(value, 'Date')
      this.#text += 'D'
      this.#number(value.getTime())
    } else if (value instanceof RegExp) {
      this.#builtIn(value, 'RegExp')
      this.#text += 'R'
      this.#string(value.source)
      this.#string(value.flags)
      if (value.lastIndex !== 0) this.#lost(`l${value.lastIndex};`)
    } else if (ArrayBuffer.isView(value)) {
      this.#text += 'T'
      this.#string(className(value))
      this.#bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
    } else if (types.isAnyArrayBuffer(value)) {
      this.#builtIn(value, 'ArrayBuffer')
      this.#text += 'B'
      const { byteLength, maxByteLength } = value
      if (maxByteLength !== byteLength) this.#lost(`l${maxByteLength};`)
      this.#bytes(new Uint8Array(value))
    } else this.#instance(value)
  }

  /** What a built-in object has beside what it is for: no codec of ours keeps it. */
  #builtIn(value: object, name: string): void {
    this.#subclass(value, name)
    this.#symbols(value)
    if (Object.keys(value).length === 0) return
    this.#lost('x')
    this.#properties(value)
  }

  /** The class, where it is not the built-in one. By its name, as that of another realm is the same to a codec. */
  #subclass(value: object, name: string): void {
    const own = className(value)
    if (own === name) return
    this.#lost('C')
    this.#string(own)
  }

  /** Properties under symbols, of which only what they are described by is the same elsewhere. */
  #symbols(value: object): void {
    const symbols = Object.getOwnPropertySymbols(value)
    if (symbols.length === 0) return
    this.#lost(`y${symbols.length};`)
    for (const symbol of symbols) {
      if (!Object.prototype.propertyIsEnumerable.call(value, symbol)) continue
      const { description = '' } = symbol
      this.#path?.push(description)
      this.#string(description)
      this.#write(Reflect.get(value, symbol))
      this.#path?.pop()
    }
  }

  /** Tells of what the structured clone algorithm does not keep. */
  #lost(tag: string): void {
    this.#clones = false
    this.#text += tag
  }

  #instance(value: object): void {
    this.#clones = false
    this.#text += 'c'
    this.#string(className(value))
    this.#symbols(value)
    if (value instanceof Error) {
      this.#string(value.name)
      this.#string(value.message)
      this.#properties(value, Object.getOwnPropertyNames(value).filter(isTold))
      return
    }
    const keys = Object.keys(value)
    if (keys.length === 0) {
      throw this.#none(`an instance of ${className(value)} that shows no properties`)
    }
    this.#properties(value, keys)
  }

  #array(value: readonly unknown[]): void {
    this.#text += `a${value.length};`
    let { length } = value
    for (let index = 0; index < value.length; index++) {
      const item = value[index]
      this.#path?.push(index)
      if (item === undefined && !(index in value)) {
        this.#text += 'h'
        length--
      } else this.#write(item)
      this.#path?.pop()
    }
    // Those of a match of a regular expression, which say where it is. Indices come first.
    const keys = Object.keys(value)
    if (keys.length === length) return
    this.#lost('q')
    this.#properties(value, keys.slice(length))
  }

  #properties(value: object, keys: readonly string[] = Object.keys(value)): void {
    this.#text += `${keys.length};`
    for (const key of keys) {
      this.#path?.push(key)
      this.#string(key)
      this.#write((value as Record<string, unknown>)[key])
      this.#path?.pop()
    }
  }

  #pairs(tag: string, entries: Iterable<[unknown, unknown]>): void {
    this.#text += tag
    let index = 0
    for (const [key, value] of entries) {
      this.#path?.push(index++)
      this.#text += 'p'
      this.#write(key)
      this.#write(value)
      this.#path?.pop()
    }
    this.#text += 'e'
  }

  #string(text: string): void {
    // Ill-formed strings would all become the same in UTF-8; JSON escapes what makes them so.
    this.#text += text.isWellFormed() ? `s${text.length};${text}` : `w${JSON.stringify(text)}`
  }

  #number(value: number): void {
    this.#text += Object.is(value, -0) ? 'd-0;' : `d${value};`
  }

  #bytes(bytes: Uint8Array): void {
    this.#clones = false
    this.#text += `${bytes.length};${contentHash(bytes)}`
  }

  #none(what: string): NoCanonicalForm {
    const place = this.#path?.map(step => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    return new NoCanonicalForm(place?.length ? `${what} at ${place.join('')}` : what)
  }
}

/** Whether a property of an error counts that is not written apart. */
const isTold = (name: string): boolean => name !== 'stack' && name !== 'message'

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function className(value: object): string {
  const made = value.constructor
  return typeof made === 'function' ? made.name : ''
}
