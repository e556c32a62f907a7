import type { Resource } from '../../export/resource.ts'
import { type Scope, StatusCode } from '../../span/api/span.ts'
import { AttributeList, truncate } from '../../span/attributes/attribute-list.ts'
import type { CapturedMap } from '../../span/attributes/capture.ts'
import type { SpanEvent, SpanLink } from '../../span/recorded/span-details.ts'
import { type SpanRecord, unixNanos } from '../../span/recorded/span-record.ts'
import { contextFlags, type Encoder, HAS_IS_REMOTE, IS_REMOTE, linkedId } from './encoder.ts'
import { fitsInt64, isInt64 } from './int64.ts'

/**
 * OTLP as JSON, by string templates: no tree of objects. Ids are hex, 64-bit integers decimal strings and bytes base64, as
 * the OTLP specification lays down.
 */
export class JsonEncoder implements Encoder {
  readonly contentType = 'application/json'
  #resource = '{}'
  #scopes = new Map<Scope, string[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  open(resource: Resource): void {
    this.#resource = `{"attributes":${attributesJson(AttributeList.of(resource))}}`
  }

  write(span: SpanRecord): void {
    let spans = this.#scopes.get(span.scope)
    if (spans === undefined) this.#scopes.set(span.scope, (spans = []))
    const json = spanJson(span)
    this.#size += json.length
    spans.push(json)
  }

  take(): Uint8Array {
    const scopes = Array.from(this.#scopes, ([scope, spans]) => {
      const url = scope.schemaUrl === undefined ? '' : `,"schemaUrl":${quote(scope.schemaUrl)}`
      return `{"scope":${scopeJson(scope)},"spans":[${spans.join(',')}]${url}}`
    })
    this.#scopes = new Map()
    this.#size = 0
    return Buffer.from(`{"resource":${this.#resource},"scopeSpans":[${scopes.join(',')}]}`)
  }

  frame(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
    const parts: Uint8Array[] = [Buffer.from('{"resourceSpans":[')]
    pieces.forEach((piece, i) => {
      if (i > 0) parts.push(Buffer.from(','))
      parts.push(piece)
    })
    parts.push(Buffer.from(']}'))
    return parts
  }
}

function spanJson(span: SpanRecord): string {
  const { parentSpanId, attributes, details } = span
  const flags = span.traceFlags | HAS_IS_REMOTE | (span.parentRemote ? IS_REMOTE : 0)
  const state = span.traceState?.serialize() ?? ''
  let json = `{"traceId":"${span.traceId}","spanId":"${span.spanId}"`
  if (state !== '') json += `,"traceState":${quote(state)}`
  if (parentSpanId !== undefined) json += `,"parentSpanId":"${parentSpanId}"`
  json += `,"name":${quote(span.name)},"kind":${span.kind + 1}`
  json += `,"startTimeUnixNano":"${span.startUnixNano}"`
  json += `,"endTimeUnixNano":"${span.endUnixNano}"`
  if (attributes.count > 0) json += `,"attributes":${attributesJson(attributes)}`
  json += dropped('droppedAttributesCount', attributes.dropped)
  let message = ''
  if (details !== null) {
    message = details.statusMessage
    const events = details.events.map(event => eventJson(event, span.epoch))
    const links = details.links.map(linkJson)
    if (events.length > 0) json += `,"events":[${events.join(',')}]`
    json += dropped('droppedEventsCount', details.droppedEvents)
    if (links.length > 0) json += `,"links":[${links.join(',')}]`
    json += dropped('droppedLinksCount', details.droppedLinks)
  }
  if (span.status !== StatusCode.UNSET) {
    const text = message === '' ? '' : `,"message":${quote(message)}`
    json += `,"status":{"code":${span.status}${text}}`
  }
  return `${json},"flags":${flags}}`
}

function eventJson({ name, time, nanos, attributes }: SpanEvent, epoch: number): string {
  let json = `{"timeUnixNano":"${nanos ?? unixNanos(epoch, time)}","name":${quote(name)}`
  if (attributes !== null && attributes.count > 0) {
    json += `,"attributes":${attributesJson(attributes)}`
  }
  return `${json}${dropped('droppedAttributesCount', attributes?.dropped ?? 0)}}`
}

function linkJson({ context, attributes }: SpanLink): string {
  const state = context.traceState?.serialize() ?? ''
  let json = `{"traceId":"${linkedId(context.traceId, 32)}","spanId":"${linkedId(context.spanId, 16)}"`
  if (state !== '') json += `,"traceState":${quote(state)}`
  if (attributes !== null && attributes.count > 0) {
    json += `,"attributes":${attributesJson(attributes)}`
  }
  json += dropped('droppedAttributesCount', attributes?.dropped ?? 0)
  return `${json},"flags":${contextFlags(context)}}`
}

function scopeJson(scope: Scope): string {
  let json = `{"name":${quote(scope.name)}`
  if (scope.version !== undefined) json += `,"version":${quote(scope.version)}`
  const list = AttributeList.of(scope.attributes ?? {})
  if (list.count > 0) json += `,"attributes":${attributesJson(list)}`
  return `${json}}`
}

function attributesJson(list: AttributeList): string {
  list.deduplicate()
  let json = ''
  for (let at = 0; at < list.end; at += 2) {
    const value = valueJson(truncate(list.pairs[at + 1], list.maxLength))
    json += `${at === 0 ? '' : ','}{"key":${quote(list.pairs[at] as string)},"value":${value}}`
  }
  return `[${json}]`
}

function valueJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `{"stringValue":${quote(value)}}`
    case 'boolean':
      return `{"boolValue":${value}}`
    case 'number':
      return numberJson(value)
    case 'bigint':
      return fitsInt64(value) ? `{"intValue":"${value}"}` : `{"stringValue":"${value}"}`
  }
  if (value === null || value === undefined) return '{}'
  if (value instanceof Uint8Array) {
    return `{"bytesValue":"${Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')}"}`
  }
  if (Array.isArray(value)) return `{"arrayValue":{"values":[${value.map(valueJson).join(',')}]}}`
  const { keys, values } = value as CapturedMap
  const pairs = keys.map((key, i) => `{"key":${quote(key)},"value":${valueJson(values[i])}}`)
  return `{"kvlistValue":{"values":[${pairs.join(',')}]}}`
}

function numberJson(value: number): string {
  if (isInt64(value)) {
    return `{"intValue":"${Number.isSafeInteger(value) ? value : BigInt(value)}"}`
  }
  // JSON has no NaN and no infinities; the protobuf mapping spells them as strings.
  return `{"doubleValue":${Number.isFinite(value) ? value : `"${value}"`}}`
}

function dropped(name: string, count: number): string {
  return count === 0 ? '' : `,"${name}":${count}`
}

/** JSON strings are Unicode: a lone surrogate becomes U+FFFD, as in UTF-8. */
function quote(text: string): string {
  return JSON.stringify(text.toWellFormed())
}
