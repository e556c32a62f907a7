import { readHex } from '../../span/ids/hex.ts'
import type { SpanDetails, SpanEvent, SpanLink } from '../../span/recorded/span-details.ts'
import type { SpanRecord } from '../../span/recorded/span-record.ts'
import { contextFlags, linkedId } from '../encoding/encoder.ts'
import type { NanoClock } from './nano-clock.ts'
import { writeList } from './protobuf-values.ts'
import type { ProtobufWriter } from './protobuf-writer.ts'

/** Writes what few spans have: events, links, and how many of both were dropped. */
export function writeDetails(writer: ProtobufWriter, details: SpanDetails, clock: NanoClock): void {
  for (const event of details.events) writeEvent(writer, event, clock)
  if (details.droppedEvents > 0) writeCount(writer, 0x60, details.droppedEvents)
  for (const link of details.links) writeLink(writer, link)
  if (details.droppedLinks > 0) writeCount(writer, 0x70, details.droppedLinks)
}

function writeEvent(writer: ProtobufWriter, event: SpanEvent, clock: NanoClock): void {
  const start = writer.begin(0x5a)
  writer.ensure(9)
  writer.byte(0x09)
  if (event.nanos === undefined) clock.write(writer.view, writer.pos, event.time)
  else writer.view.setBigUint64(writer.pos, event.nanos, true)
  writer.pos += 8
  writer.text(0x12, event.name)
  if (event.attributes !== null) {
    writeList(writer, 0x1a, event.attributes)
    if (event.attributes.dropped > 0) writeCount(writer, 0x20, event.attributes.dropped)
  }
  writer.end(start)
}

function writeLink(writer: ProtobufWriter, { context, attributes }: SpanLink): void {
  const start = writer.begin(0x6a)
  writer.ensure(64)
  writeId(writer, 0x0a, context.traceId, 32)
  writeId(writer, 0x12, context.spanId, 16)
  const state = context.traceState?.serialize() ?? ''
  if (state !== '') writer.text(0x1a, state)
  if (attributes !== null) {
    writeList(writer, 0x22, attributes)
    if (attributes.dropped > 0) writeCount(writer, 0x28, attributes.dropped)
  }
  writer.ensure(5)
  writer.byte(0x35)
  writer.fixed32(contextFlags(context))
  writer.end(start)
}

function writeId(writer: ProtobufWriter, tag: number, id: string, digits: number): void {
  const hex = linkedId(id, digits)
  if (hex === '') return
  writer.byte(tag)
  writer.byte(digits / 2)
  for (let at = 0; at < digits; at += 8) writer.word(readHex(hex, at))
}

/** The status of a span, unless it is unset. */
export function writeStatus(writer: ProtobufWriter, span: SpanRecord): void {
  const message = span.details?.statusMessage ?? ''
  if (span.status === 0 && message === '') return
  const start = writer.begin(0x7a)
  if (message !== '') writer.text(0x12, message)
  writer.ensure(32)
  writer.byte(0x18)
  writer.byte(span.status)
  writer.end(start)
}

/** A varint field. */
export function writeCount(writer: ProtobufWriter, tag: number, count: number): void {
  writer.ensure(6)
  writer.byte(tag)
  writer.varint(count)
}
