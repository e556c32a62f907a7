import { writeAttribute } from './protobuf-values.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

/** Values remembered per key; when exceeded, all are forgotten and learnt again. */
const MAX_VALUES = 64
/** Misses after which a key is taken to have values that do not repeat, and is no longer searched… */
const PATIENCE = 128
/** …except for some trials each time that this many values have gone by. */
const RETRY = 2048
const TRIALS = 32

const scratch = new ProtobufWriter(1024)

/**
 * Bytes ready to be copied eight at a time, as doubles (48 bytes: 5 ns; as 32-bit words 10 ns; `copyWithin` 18 ns). No eight
 * of them can be a NaN, whose bits an engine may change: that takes a byte 0x7f or 0xff behind one of 0xf0 or more, which
 * UTF-8 does not contain and no length follows.
 */
export interface Prepared {
  readonly units: Float64Array
  readonly length: number
}

/** What `writer` writes, prepared for copying. */
export function prepare(write: (writer: ProtobufWriter) => void): Prepared {
  scratch.pos = 0
  write(scratch)
  const length = scratch.pos
  scratch.ensure(8)
  scratch.bytes.fill(0, length, length + 8)
  const units = new Float64Array(Math.ceil(length / 8))
  for (let i = 0; i < units.length; i++) units[i] = scratch.view.getFloat64(i * 8, true)
  return { units, length }
}

/**
 * An attribute key with its bytes, and the whole encoded pair for values that come again and again. A value is prepared
 * when it is seen for the second time; a key whose values never repeat is soon left alone.
 */
export class AttributeKey {
  readonly key: string
  /** `key = 1` and the tag of `value = 2` of a KeyValue. */
  readonly head: Prepared
  /** By value; null where it was seen once. */
  readonly #values = new Map<string | boolean, Prepared | null>()
  #last: string | boolean | null = null
  #lastPrepared: Prepared | null = null
  #patience = PATIENCE
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

  /** The encoded `attributes` field of a span with this value, if it has been prepared. */
  cached(value: string | boolean): Prepared | null {
    if (this.#last === value) return this.#lastPrepared
    if (this.#patience <= 0) {
      if (--this.#patience < -RETRY) this.#patience = TRIALS
      return null
    }
    const known = this.#values.get(value)
    if (known === undefined || known === null) return this.#learn(value, known === null)
    this.#patience = PATIENCE
    this.#last = value
    return (this.#lastPrepared = known)
  }

  #learn(value: string | boolean, seen: boolean): Prepared | null {
    this.#patience--
    if (this.#values.size >= MAX_VALUES) this.#values.clear()
    const prepared = seen ? this.#prepare(value) : null
    this.#values.set(value, prepared)
    return prepared
  }

  #prepare(value: string | boolean): Prepared {
    return prepare(writer => writeAttribute(writer, this, value))
  }
}
