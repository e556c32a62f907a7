import { deserialize, serialize } from 'node:v8'

/**
 * Turns values into bytes and back, at once: what returns a promise has no encoding, or is no value. `decode` must throw on bytes that `encode` did not make. Stores keep apart what the codecs of this
 * package encoded, and what others did; of two codecs of your own in one place each must tell its bytes from the other's.
 */
export interface Codec<V> {
  encode(value: V): Uint8Array
  decode(bytes: Uint8Array): V
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * JSON: readable by other languages, safe for bytes that others may write. Loses what JSON loses (Date, Map, undefined),
 * and refuses to encode what it would drop altogether.
 */
// biome-ignore lint/suspicious/noExplicitAny: whatever type of values the store has
export const jsonCodec: Codec<any> = {
  encode(value) {
    const text = JSON.stringify(value)
    if (text === undefined) throw new TypeError(`A ${typeof value} has no JSON form`)
    return Buffer.from(text)
  },
  decode: bytes => JSON.parse(decoder.decode(bytes)),
}

/**
 * The structured clone algorithm: keeps Date, Map, Set, typed arrays, BigInt, undefined and cycles. Only for bytes that
 * no other program may write, and for processes of the same major version of Node.
 */
// biome-ignore lint/suspicious/noExplicitAny: whatever type of values the store has
export const structuredCodec: Codec<any> = {
  encode: value => serialize(value),
  decode: bytes => deserialize(bytes),
}

/** Bytes as they are. Takes Buffers, gives Uint8Arrays. */
export const bytesCodec: Codec<Uint8Array> = {
  encode(value) {
    if (!(value instanceof Uint8Array)) throw new TypeError('The value is not a Uint8Array')
    return value
  },
  // A copy: the bytes may be a view of a larger buffer that would be kept alive.
  decode: bytes => Uint8Array.from(bytes),
}
