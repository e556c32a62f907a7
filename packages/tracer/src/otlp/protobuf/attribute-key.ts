import { type Prepared, prepare } from './prepared.ts'
import { writeAttribute } from './protobuf-values.ts'

/** Values remembered per key; when exceeded, all are forgotten and learnt again. */
const MAX_VALUES = 64
/** Misses after which a key is taken to have values that do not repeat, and is no longer searched… */
const PATIENCE = 128
/** …except for some trials each time that this many values have gone by. */
const RETRY = 2048
const TRIALS = 32

/** Bytes of a short key with its tag, its length (one byte for up to 127) and the tag of the value. */
const MAX_SHORT = 64 + 3

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
    const pair = seen ? prepare(writer => writeAttribute(writer, this.head, text)) : null
    this.#pairs.set(text, pair)
    return pair
  }
}
