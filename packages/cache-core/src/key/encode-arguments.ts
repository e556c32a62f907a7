import { UnencodableArgumentError, type UnencodableReason } from '../errors.ts'

/** What {@link encodeArguments} returns: a key for any `Map`-like cache. */
export type ArgumentsKey = string | number

/** First character of every encoded key; a lone string argument that begins with it is encoded too. */
const MARK = '\u0000'

/** Deepest nesting of containers. Deeper values are refused rather than risk the stack. */
const MAX_DEPTH = 200

/**
 * Turns an argument list into one key so that two lists share a key exactly when
 * `assert.deepStrictEqual` calls them equal. Types count (`1`, `'1'`, `1n` and `[1]` differ), `-0`
 * differs from `0`, `NaN` equals itself, a hole differs from `undefined`; the order of an object's
 * properties, of a `Set`'s members and of a `Map`'s entries does not count.
 *
 * A single string or finite number is its own key, without concatenation. Everything else is written
 * as type-tagged, length-prefixed tokens, a prefix-free code, so no separator can be forged by data.
 *
 * Encodable: primitives except symbols, arrays, plain and null-prototype objects, `Date`, `RegExp`,
 * `URL`, `Map`, `Set`, `ArrayBuffer`, `DataView`, `Buffer` and typed arrays (their bytes, not
 * properties added to them), nested at most 200 levels. Complexity: O(size), O(n log n) in each unordered container.
 *
 * @throws {@link UnencodableArgumentError} for functions, symbols, instances of other classes
 * (whose private state is out of reach), circular or deeper values.
 */
export function encodeArguments(args: readonly unknown[]): ArgumentsKey {
  if (args.length === 1) {
    const only = args[0]
    if (typeof only === 'string') {
      if (only.charCodeAt(0) !== 0) return only
    } else if (typeof only === 'number') {
      // A Map cannot tell -0 from 0, and NaN never meets an integer fast path.
      if (!Number.isNaN(only) && !Object.is(only, -0)) return only
    }
  }
  let key = MARK
  for (let index = 0; index < args.length; index++) {
    const argument = args[index]
    key +=
      typeof argument === 'object' && argument !== null
        ? new Encoder(index).encode(argument)
        : encodePrimitive(argument, index)
  }
  return key
}

function encodePrimitive(value: unknown, argument: number): string {
  switch (typeof value) {
    case 'string':
      return encodeString(value)
    case 'number':
      return Object.is(value, -0) ? 'd-0;' : `d${value};`
    case 'boolean':
      return value ? 't' : 'f'
    case 'undefined':
      return 'u'
    case 'bigint':
      return `i${value};`
    case 'function':
    case 'symbol':
      throw new UnencodableArgumentError(argument, typeof value as 'function' | 'symbol')
    default:
      return 'n'
  }
}

function encodeString(text: string): string {
  return `s${text.length}:${text}`
}

/** Encodes one argument; knows its index for errors and the containers it is inside of. */
class Encoder {
  readonly #argument: number
  readonly #ancestors: object[] = []

  constructor(argument: number) {
    this.#argument = argument
  }

  encode(value: unknown): string {
    if (typeof value !== 'object' || value === null) return encodePrimitive(value, this.#argument)
    const ancestors = this.#ancestors
    if (ancestors.includes(value)) this.#refuse('circular')
    if (ancestors.length === MAX_DEPTH) this.#refuse('depth')
    ancestors.push(value)
    const encoded = this.#encodeObject(value)
    ancestors.pop()
    return encoded
  }

  #encodeObject(value: object): string {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype) return this.#encodeProperties('{', value)
    if (prototype === null) return this.#encodeProperties('o', value)
    if (prototype === Array.prototype) return this.#encodeArray(value as unknown[])
    const bytes = byteTag(value, prototype)
    if (bytes !== undefined) return bytes
    // `Array.prototype` is an array itself, of whatever realm, and that of a class is not.
    if (Array.isArray(prototype)) return this.#encodeArray(value as unknown[])
    if (isPlain(prototype)) return this.#encodeProperties('{', value)
    this.#refuseExtraProperties(value, prototype)
    switch (prototype) {
      case Date.prototype:
        return `D${(value as Date).getTime()};`
      case Map.prototype: {
        const entries: string[] = []
        for (const [k, v] of value as Map<unknown, unknown>) {
          entries.push(this.encode(k) + this.encode(v))
        }
        return encodeUnordered('M', entries)
      }
      case Set.prototype: {
        const members: string[] = []
        for (const member of value as Set<unknown>) members.push(this.encode(member))
        return encodeUnordered('S', members)
      }
      case RegExp.prototype: {
        const { source, flags, lastIndex } = value as RegExp
        return `R${encodeString(source)}${flags};${lastIndex};`
      }
      case URL.prototype:
        return `U${encodeString((value as URL).href)}`
      default:
        return this.#refuse('instance', className(prototype))
    }
  }

  #encodeArray(array: unknown[]): string {
    const keys = Object.keys(array)
    // Holes or named properties: write what is there, under its name.
    if (
      keys.length !== array.length ||
      (keys.length > 0 && keys.at(-1) !== `${array.length - 1}`)
    ) {
      return `a${array.length};${this.#encodeProperties('{', array)}`
    }
    this.#refuseSymbolKeys(array)
    let encoded = `[${array.length};`
    for (const element of array) encoded += this.encode(element)
    return encoded
  }

  #encodeProperties(tag: string, value: object): string {
    this.#refuseSymbolKeys(value)
    const keys = Object.keys(value).sort()
    let encoded = `${tag}${keys.length};`
    for (const key of keys) {
      encoded += encodeString(key) + this.encode((value as Record<string, unknown>)[key])
    }
    return encoded
  }

  #refuseExtraProperties(value: object, prototype: unknown): void {
    if (Object.keys(value).length > 0) this.#refuse('instance', className(prototype))
    this.#refuseSymbolKeys(value)
  }

  #refuseSymbolKeys(value: object): void {
    for (const key of Object.getOwnPropertySymbols(value)) {
      if (Object.prototype.propertyIsEnumerable.call(value, key)) this.#refuse('symbol')
    }
  }

  #refuse(reason: UnencodableReason, className?: string): never {
    throw new UnencodableArgumentError(this.#argument, reason, className)
  }
}

/** The members' own codes are prefix-free, so sorting them and joining them loses nothing. */
function encodeUnordered(tag: string, codes: string[]): string {
  return `${tag}${codes.length};${codes.sort().join('')}`
}

/** `undefined` unless `value` is a built-in container of bytes. Shared memory can change at any time. */
function byteTag(value: object, prototype: unknown): string | undefined {
  let view: Uint8Array
  if (prototype === ArrayBuffer.prototype) {
    view = new Uint8Array(value as ArrayBuffer)
  } else if (
    prototype === DataView.prototype ||
    prototype === Buffer.prototype ||
    (prototype !== null &&
      Object.getPrototypeOf(prototype) === Object.getPrototypeOf(Uint8Array.prototype))
  ) {
    const { buffer, byteOffset, byteLength } = value as ArrayBufferView
    if (!(buffer instanceof ArrayBuffer)) return undefined
    view = new Uint8Array(buffer, byteOffset, byteLength)
  } else {
    return undefined
  }
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('latin1')
  return `B${className(prototype)}:${bytes.length}:${bytes}`
}

/** Of another realm, as what `structuredClone` makes is in a test of Jest: objects with the same properties are the same argument. */
function isPlain(prototype: unknown): boolean {
  return (
    Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf')
  )
}

function className(prototype: unknown): string {
  const declared: unknown = (prototype as object).constructor
  return typeof declared === 'function' ? declared.name : 'object'
}
