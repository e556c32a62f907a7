import { ProtobufWriter, varintSize } from './protobuf-writer.ts'

/** Slots of the cache of values per key. */
const VALUES = 8
/** Longer values are rarely repeated and not worth holding on to. */
const MAX_CACHED_LENGTH = 64

const scratch = new ProtobufWriter(1024)

/** Bytes ready to be copied by whole words. */
export interface Prepared {
  readonly words: Int32Array
  readonly length: number
}

/** What `writer` writes, prepared for copying. */
export function prepare(write: (writer: ProtobufWriter) => void): Prepared {
  scratch.pos = 0
  write(scratch)
  const length = scratch.pos
  const words = new Int32Array(Math.ceil(length / 4))
  for (let i = 0; i < words.length; i++) words[i] = scratch.view.getInt32(i * 4, true)
  return { words, length }
}

/**
 * An attribute key with its bytes, and the whole encoded pair for values that come again and again. A value is
 * prepared when it is seen for the second time in its slot, so values that are never repeated cost one comparison.
 */
export class AttributeKey {
  readonly key: string
  /** `key = 1` and the tag of `value = 2` of a KeyValue. */
  readonly head: Prepared
  readonly #seen: (string | null)[] = new Array(VALUES).fill(null)
  readonly #values: (string | null)[] = new Array(VALUES).fill(null)
  readonly #prepared: (Prepared | null)[] = new Array(VALUES).fill(null)
  /** The span that used this key last: how duplicates are found without searching. */
  mark = 0

  constructor(key: string) {
    this.key = key
    this.head = prepare(writer => {
      writer.text(0x0a, key)
      writer.ensure(1)
      writer.byte(0x12)
    })
  }

  /** The encoded `attributes` field of a span with this string, if it has been prepared. */
  cached(value: string): Prepared | null {
    const { length } = value
    if (length > MAX_CACHED_LENGTH || length === 0) return null
    const slot = (length + value.charCodeAt(length - 1)) & (VALUES - 1)
    if (this.#values[slot] === value) return this.#prepared[slot]!
    if (this.#seen[slot] !== value) {
      this.#seen[slot] = value
      return null
    }
    this.#values[slot] = value
    return (this.#prepared[slot] = this.#prepare(value))
  }

  #prepare(value: string): Prepared {
    const { head } = this
    return prepare(writer => {
      const size = writer.utf8Length(value)
      const valueSize = 1 + varintSize(size) + size
      writer.ensure(head.length + size + 16)
      writer.byte(0x4a)
      writer.varint(head.length + varintSize(valueSize) + valueSize)
      writer.prepared(head.words, head.length)
      writer.varint(valueSize)
      writer.byte(0x0a)
      writer.varint(size)
      writer.utf8(value, size)
    })
  }
}
