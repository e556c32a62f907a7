import { type AttributeList, truncate } from '../../span/attributes/attribute-list.ts'
import type { CapturedMap } from '../../span/attributes/capture.ts'
import { fitsInt64, isInt64 } from '../encoding/int64.ts'
import type { Prepared } from './prepared.ts'
import { type ProtobufWriter, varintSize } from './protobuf-writer.ts'

const TWO_32 = 2 ** 32

/** The `attributes` field of a span with any value. */
export function writeAttribute(writer: ProtobufWriter, head: Prepared, value: unknown): void {
  if (typeof value === 'string') {
    const size = writer.utf8Length(value)
    const valueSize = 1 + varintSize(size) + size
    writer.ensure(head.length + size + 24)
    writer.byte(0x4a)
    writer.varint(head.length + varintSize(valueSize) + valueSize)
    writer.prepared(head.units, head.length)
    writer.varint(valueSize)
    writer.byte(0x0a)
    writer.varint(size)
    writer.utf8(value, size)
  } else if (typeof value === 'number') {
    const size = numberSize(value)
    writer.ensure(head.length + 24)
    writer.byte(0x4a)
    writer.varint(head.length + 1 + size)
    writer.prepared(head.units, head.length)
    writer.byte(size)
    writeNumber(writer, value)
  } else if (typeof value === 'boolean') {
    writer.ensure(head.length + 16)
    writer.byte(0x4a)
    writer.varint(head.length + 3)
    writer.prepared(head.units, head.length)
    writer.byte(2)
    writer.byte(0x10)
    writer.byte(value ? 1 : 0)
  } else {
    const pair = writer.begin(0x4a)
    writer.ensure(head.length)
    writer.prepared(head.units, head.length)
    // The head ends with the tag of the value, which `begin` writes.
    writer.pos--
    const start = writer.begin(0x12)
    writeAnyValue(writer, value)
    writer.end(start)
    writer.end(pair)
  }
}

/**
 * Writes the content of an `AnyValue` of any type, without its length prefix. Strings, booleans and numbers of span
 * attributes do not come here: the encoder writes those in place.
 */
function writeAnyValue(writer: ProtobufWriter, value: unknown): void {
  switch (typeof value) {
    case 'string':
      writer.text(0x0a, value)
      return
    case 'boolean':
      writer.ensure(2)
      writer.byte(0x10)
      writer.byte(value ? 1 : 0)
      return
    case 'number':
      writer.ensure(11)
      writeNumber(writer, value)
      return
    case 'bigint':
      writeBigInt(writer, value)
      return
  }
  if (value === null || value === undefined) return
  if (value instanceof Uint8Array) writeBytes(writer, 0x3a, value)
  else if (Array.isArray(value)) writeArray(writer, value)
  else writeMap(writer, value as CapturedMap)
}

/** An integer as `int_value`, anything else as `double_value`. */
function writeNumber(writer: ProtobufWriter, value: number): void {
  if (isInt64(value)) {
    writer.byte(0x18)
    writeInt64(writer, value)
  } else {
    writer.byte(0x21)
    writer.double(value)
  }
}

/** Bytes that {@link writeNumber} writes. */
function numberSize(value: number): number {
  if (!isInt64(value)) return 9
  if (value < 0) return 11
  if (value < TWO_32) return 1 + varintSize(value)
  let size = 2
  for (let rest = Math.floor(value / 128); rest >= 128; rest = Math.floor(rest / 128)) size++
  return size + 1
}

function writeInt64(writer: ProtobufWriter, value: number): void {
  if (value >= 0 && value < TWO_32) {
    writer.varint(value)
    return
  }
  // Two's complement in two halves; exact, as a double's integers have at most 53 significant bits.
  const high = Math.floor(value / TWO_32)
  writer.varint64(high >>> 0, (value - high * TWO_32) >>> 0)
}

function writeBigInt(writer: ProtobufWriter, value: bigint): void {
  if (!fitsInt64(value)) {
    writer.text(0x0a, String(value))
    return
  }
  writer.ensure(11)
  writer.byte(0x18)
  const bits = BigInt.asUintN(64, value)
  writer.varint64(Number(bits >> 32n), Number(bits & 0xffff_ffffn))
}

/** A bytes field with a one-byte tag. */
function writeBytes(writer: ProtobufWriter, tag: number, bytes: Uint8Array): void {
  writer.ensure(bytes.length + 6)
  writer.byte(tag)
  writer.varint(bytes.length)
  writer.bytes.set(bytes, writer.pos)
  writer.pos += bytes.length
}

function writeArray(writer: ProtobufWriter, items: readonly unknown[]): void {
  const array = writer.begin(0x2a)
  for (const item of items) {
    const start = writer.begin(0x0a)
    writeAnyValue(writer, item)
    writer.end(start)
  }
  writer.end(array)
}

function writeMap(writer: ProtobufWriter, { keys, values }: CapturedMap): void {
  const list = writer.begin(0x32)
  for (let i = 0; i < keys.length; i++) {
    const pair = writer.begin(0x0a)
    writer.text(0x0a, keys[i]!)
    const value = writer.begin(0x12)
    writeAnyValue(writer, values[i])
    writer.end(value)
    writer.end(pair)
  }
  writer.end(list)
}

/** Attributes of events, links, scopes and resources: seldom, so keys are not remembered. */
export function writeList(writer: ProtobufWriter, tag: number, list: AttributeList): void {
  list.deduplicate()
  for (let at = 0; at < list.count * 2; at += 2) {
    const pair = writer.begin(tag)
    writer.text(0x0a, list.pairs[at] as string)
    const value = writer.begin(0x12)
    writeAnyValue(writer, truncate(list.pairs[at + 1], list.maxLength))
    writer.end(value)
    writer.end(pair)
  }
}
