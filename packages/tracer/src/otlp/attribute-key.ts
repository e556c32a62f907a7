import { writeAttribute } from './protobuf-values.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

/** Values remembered per key; when exceeded, all are forgotten and learnt again. */
const MAX_VALUES = 64
/** Misses after which a key is taken to have values that do not repeat, and is no longer searched… */
const PATIENCE = 128
/** …except for some trials each time that this many values have gone by. */
const RETRY = 2048
const TRIALS = 32

/** Bytes of a short key with its tag, its length (one byte for up to 127) and the tag of the value. */
const MAX_SHORT = 64 + 3

const scratch = new ProtobufWriter(1024)

/**
 * Bytes ready to be copied eight at a time, as doubles (48 bytes: 5 ns; as 32-bit words 10 ns; `copyWithin` 18 ns), which are an
 * ordinary array, as an element of it needs one check less than one of a Float64Array. No eight of them can be a NaN, whose
 * bits an engine may change: that takes a byte 0x7f or 0xff behind one of 0xf0 or more, which UTF-8 does not contain and no
 * length follows.
 */
export interface Prepared {
  readonly units: readonly number[]
  readonly length: number
}

/** What `writer` writes, prepared for copying. */
export function prepare(write: (writer: ProtobufWriter) => void): Prepared {
  scratch.pos = 0
  write(scratch)
  const length = scratch.pos
  scratch.ensure(8)
  scratch.bytes.fill(0, length, length + 8)
  const units: number[] = []
  for (let at = 0; at < length; at += 8) units.push(scratch.view.getFloat64(at, true))
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
  /** Whether it has at most 64 bytes, so that a pair with a short value fits where room was made for one. */
  readonly isShort: boolean
  /** The text of this key that came last and was prepared, and its pair. */
  lastText: string | null = null
  lastPair: Prepared | null = null
  /** The span that used this key last: how duplicates are found without searching. */
  mark = 0
  /** Pairs by text; null where it was seen once. */
  readonly #pairs = new Map<string, Prepared | null>()
  #patience = PATIENCE

  constructor(key: string) {
    this.key = key
    this.head = prepare(writer => {
      writer.text(0x0a, key)
      writer.ensure(1)
      writer.byte(0x12)
    })
    this.isShort = this.head.length <= MAX_SHORT
  }

  /** The encoded `attributes` field of a span with this text, if it has been prepared. */
  pairOf(text: string): Prepared | null {
    if (this.#patience <= 0) {
      if (--this.#patience < -RETRY) this.#patience = TRIALS
      return null
    }
    const pair = this.#pairs.get(text)
    if (pair === undefined || pair === null) return this.#learn(text, pair === null)
    this.#patience = PATIENCE
    this.lastText = text
    return (this.lastPair = pair)
  }

  #learn(text: string, seen: boolean): Prepared | null {
    this.#patience--
    if (this.#pairs.size >= MAX_VALUES) this.#pairs.clear()
    const pair = seen ? prepare(writer => writeAttribute(writer, this, text)) : null
    this.#pairs.set(text, pair)
    return pair
  }
}
