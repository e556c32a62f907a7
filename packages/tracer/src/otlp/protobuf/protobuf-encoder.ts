import type { Resource } from '../../export/resource.ts'
import type { Scope } from '../../span/api/span.ts'
import { type AttributeList, truncate } from '../../span/attributes/attribute-list.ts'
import type { SpanDetails } from '../../span/recorded/span-details.ts'
import type { SpanRecord } from '../../span/recorded/span-record.ts'
import { type Encoder, HAS_IS_REMOTE, IS_REMOTE } from '../encoding/encoder.ts'
import { AttributeKey } from './attribute-key.ts'
import { BufferStock } from './buffer-stock.ts'
import { NanoClock } from './nano-clock.ts'
import { type Prepared, prepare } from './prepared.ts'
import { writeCount, writeDetails, writeStatus } from './protobuf-details.ts'
import { writeAttribute } from './protobuf-values.ts'
import type { ProtobufWriter } from './protobuf-writer.ts'
import { encodeResource, ScopeBuffer } from './scope-buffer.ts'
import { writeAscii, writeNumeric } from './short-attributes.ts'

/** Keys and names remembered with their bytes; when exceeded, all are forgotten and learnt again. */
const MAX_REMEMBERED = 1024
/** Bytes reserved for the length of a span: enough for 2 MiB. */
const SPAN_LENGTH = 3
const MAX_SPAN = 0x20_0000
/** Upper bound of a span's fixed fields without its name: ids, kind, times, and their tags. */
const FIXED_FIELDS = 96
/** Strings and keys up to this length are written in place; with that, lengths of pairs take at most two bytes. */
const SHORT = 64
/** Upper bound of a pair with a short key and a short string in UTF-8, which is how much room it gets unasked. */
const SHORT_PAIR = SHORT * 4 + 24

/** The ids of the span that is being written. */
const ids = new Int32Array(6)

/** A span name with its bytes and the attribute keys that spans of this name had last, in order. */
class SpanName {
  readonly name: string
  readonly field: Prepared
  readonly keys: AttributeKey[] = []

  constructor(name: string) {
    this.name = name
    this.field = prepare(writer => writer.text(0x2a, name))
  }
}

/**
 * OTLP as protocol buffers, straight from span records to bytes in one pass: no tree of objects, no size estimation, no
 * moved bytes. A hot kernel: every recorded span with all its attributes comes through here, which is why it keeps the write
 * position in a local variable and spells out the fields of fixed size.
 *
 * What makes it fast, in order of effect: keys, span names and repeated string values are copied eight prepared bytes at a time; the
 * keys of a span are expected in the order of the last span of that name (one pointer comparison instead of a lookup);
 * lengths are computed where they are known and reserved where they are not; times are two-limb integers, not BigInts.
 */
export class ProtobufEncoder implements Encoder {
  readonly contentType = 'application/x-protobuf'
  #resource: Uint8Array = new Uint8Array()
  readonly #names = new Map<string, SpanName>()
  readonly #keys = new Map<string, AttributeKey>()
  readonly #scopes = new Map<Scope, ScopeBuffer>()
  readonly #clock = new NanoClock()
  readonly #stock = new BufferStock()
  #scope: Scope | null = null
  /** Of the span before: most come in runs of the same name. */
  #lastName: SpanName = new SpanName('')
  #writer!: ProtobufWriter
  #mark = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  open(resource: Resource): void {
    this.#resource = encodeResource(resource)
  }

  write(span: SpanRecord): void {
    if (span.scope !== this.#scope) this.#enterScope(span.scope)
    // Only between spans: within one, duplicates are found by the identity of a key.
    if (this.#names.size > MAX_REMEMBERED || this.#keys.size > MAX_REMEMBERED) this.#forget()
    this.#clock.setEpoch(span.epoch)
    const writer = this.#writer
    const before = writer.pos
    let name = this.#lastName
    if (span.name !== name.name) {
      this.#lastName = name = this.#names.get(span.name) ?? this.#learnName(span.name)
    }
    this.#fixedFields(writer, span, name)
    const start = before + 1 + SPAN_LENGTH
    const { attributes, details } = span
    if (details !== null) writeExactTimes(writer, span, details)
    if (attributes.end > 0 && !this.#attributes(writer, attributes, name)) {
      // A key came twice: resolve that in the list, and write them again.
      attributes.deduplicate()
      this.#attributes(writer, attributes, name)
    }
    if (attributes.dropped > 0) writeCount(writer, 0x50, attributes.dropped)
    if (details !== null) writeDetails(writer, details, this.#clock)
    if (span.status !== 0) writeStatus(writer, span)
    writer.ensure(8)
    const { bytes, view, pos } = writer
    const remote = span.parentRemote ? HAS_IS_REMOTE | IS_REMOTE : HAS_IS_REMOTE
    view.setInt16(pos, 0x8501 - 0x1_0000)
    view.setInt32(pos + 2, span.traceFlags | remote, true)
    writer.pos = pos + 6
    const length = pos + 6 - start
    if (length < MAX_SPAN) {
      bytes[start - 3] = (length & 0x7f) | 0x80
      bytes[start - 2] = ((length >>> 7) & 0x7f) | 0x80
      bytes[start - 1] = length >>> 14
    } else {
      this.#widen(writer, start, length)
    }
    this.#size += writer.pos - before
  }

  take(): Uint8Array {
    const pieces: Uint8Array[] = []
    for (const buffer of this.#scopes.values()) {
      const piece = buffer.take()
      if (piece !== undefined) pieces.push(piece)
    }
    this.#scope = null
    this.#size = 0
    if (pieces.length === 1) return pieces[0]!
    const joined = Buffer.concat(pieces)
    for (const piece of pieces) this.#stock.giveBack(piece)
    return joined
  }

  /** Repeated fields of concatenated messages are concatenated: the body is just the pieces. */
  frame(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
    return pieces
  }

  giveBack(piece: Uint8Array): void {
    this.#stock.giveBack(piece)
  }

  #enterScope(scope: Scope): void {
    let buffer = this.#scopes.get(scope)
    if (buffer === undefined)
      this.#scopes.set(scope, (buffer = new ScopeBuffer(scope, this.#stock)))
    buffer.open(this.#resource)
    this.#scope = scope
    this.#writer = buffer.writer
  }

  #learnName(name: string): SpanName {
    const added = new SpanName(name)
    this.#names.set(name, added)
    return added
  }

  #learnKey(key: string): AttributeKey {
    const added = new AttributeKey(key)
    this.#keys.set(key, added)
    return added
  }

  #forget(): void {
    this.#keys.clear()
    this.#names.clear()
    this.#lastName = new SpanName('')
  }

  /** Fields 1 to 8. Room for the tag and length of the span is left in front. */
  #fixedFields(writer: ProtobufWriter, span: SpanRecord, { field }: SpanName): void {
    writer.ensure(FIXED_FIELDS + field.length)
    let { pos } = writer
    writer.bytes[pos] = 0x12
    pos += 1 + SPAN_LENGTH
    let { view } = writer
    view.setInt16(pos, 0x0a10)
    span.readIds(ids)
    for (let word = 0, at = pos + 2; word < 4; word++, at += 4) view.setInt32(at, ids[word]!)
    view.setInt16(pos + 18, 0x1208)
    view.setInt32(pos + 20, ids[4]!)
    view.setInt32(pos + 24, ids[5]!)
    pos += 28
    if (span.traceState !== undefined) {
      writer.pos = pos
      const state = span.traceState.serialize()
      if (state !== '') writer.text(0x1a, state)
      writer.ensure(FIXED_FIELDS + field.length)
      view = writer.view
      pos = writer.pos
    }
    if ((span.parentHigh | span.parentLow) !== 0) {
      view.setInt16(pos, 0x2208)
      view.setInt32(pos + 2, span.parentHigh)
      view.setInt32(pos + 6, span.parentLow)
      pos += 10
    }
    const { units } = field
    for (let i = 0, at = pos; i < units.length; i++, at += 8) view.setFloat64(at, units[i]!, true)
    pos += field.length
    view.setInt16(pos, 0x3001 + span.kind)
    view.setInt8(pos + 2, 0x39)
    this.#clock.write(view, pos + 3, span.start)
    view.setInt8(pos + 11, 0x41)
    this.#clock.write(view, pos + 12, span.end)
    writer.pos = pos + 20
  }

  /** Writes all attributes; or, as soon as a key comes twice, none and returns false. */
  #attributes(writer: ProtobufWriter, list: AttributeList, name: SpanName): boolean {
    const { pairs, end, maxLength } = list
    const { keys: expected } = name
    const longest = Math.min(SHORT, maxLength)
    const mark = (this.#mark = (this.#mark + 1) | 0)
    const rewind = writer.pos
    writer.ensure((end >> 1) * SHORT_PAIR)
    let { bytes, view, pos } = writer
    for (let at = 0, i = 0; at < end; at += 2, i++) {
      const key = pairs[at] as string
      let known = i < expected.length ? expected[i]! : null
      if (known === null || known.key !== key) known = this.#expect(expected, i, key)
      if (known.mark === mark) {
        writer.pos = rewind
        return false
      }
      known.mark = mark
      const value = pairs[at + 1]
      let written = -1
      if (typeof value === 'string') {
        if (value.length <= longest) {
          const pair = value === known.lastText ? known.lastPair : known.pairOf(value)
          if (pair !== null && pair.length <= SHORT_PAIR) {
            const { units } = pair
            for (let u = 0, to = pos; u < units.length; u++, to += 8) {
              view.setFloat64(to, units[u]!, true)
            }
            written = pos + pair.length
          } else if (known.isShort) {
            written = writeAscii(bytes, view, pos, known, value)
          }
        }
      } else if (typeof value === 'number' && known.isShort) {
        written = writeNumeric(bytes, view, pos, known, value)
      }
      if (written < 0) {
        writer.pos = pos
        writeAttribute(writer, known.head, truncate(value, maxLength))
        writer.ensure(((end - at) >> 1) * SHORT_PAIR)
        bytes = writer.bytes
        view = writer.view
        written = writer.pos
      }
      pos = written
    }
    writer.pos = pos
    return true
  }

  /** The key at a place where another was expected, or none. */
  #expect(expected: AttributeKey[], i: number, key: string): AttributeKey {
    const known = this.#keys.get(key) ?? this.#learnKey(key)
    if (i <= expected.length) expected[i] = known
    return known
  }

  /** A span of more than 2 MiB needs two more bytes of length, for which its content moves. */
  #widen(writer: ProtobufWriter, start: number, length: number): void {
    writer.ensure(2)
    writer.bytes.copyWithin(start + 2, start, writer.pos)
    writer.pos += 2
    writer.padded(start - SPAN_LENGTH, length, SPAN_LENGTH + 2)
  }
}

/** Overwrites the times, which end the fixed fields, where they were given in nanoseconds. */
function writeExactTimes(
  { view, pos }: ProtobufWriter,
  span: SpanRecord,
  details: SpanDetails,
): void {
  if (details.startNanos !== undefined) view.setBigUint64(pos - 17, span.startUnixNano, true)
  if (details.endNanos !== undefined) view.setBigUint64(pos - 8, span.endUnixNano, true)
}
