import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

/** OTLP's own definitions; imports are paths from their root. */
const definitions = fileURLToPath(new URL('./opentelemetry-proto/', import.meta.url))

const root = new protobuf.Root()
root.resolvePath = (_, target) => `${definitions}${target}`
root.loadSync('opentelemetry/proto/collector/trace/v1/trace_service.proto')

const service = 'opentelemetry.proto.collector.trace.v1'
const request = root.lookupType(`${service}.ExportTraceServiceRequest`)
const response = root.lookupType(`${service}.ExportTraceServiceResponse`)

export interface DecodedSpan {
  name: string
  traceId: string
  spanId: string
  parentSpanId: string
  attributes: { key: string; value: Record<string, unknown> }[]
  events: { name: string; attributes: { key: string; value: Record<string, unknown> }[] }[]
  [field: string]: unknown
}

export interface DecodedRequest {
  resourceSpans: {
    resource: unknown
    scopeSpans: { scope: { name: string }; spans: DecodedSpan[]; schemaUrl: string }[]
  }[]
}

/** A request as plain data: absent scalars are their defaults, 64-bit integers strings, bytes base64. */
export function decodeRequest(bytes: Uint8Array): DecodedRequest {
  return plain(request.decode(bytes))
}

/** A request in JSON as the same plain data. Ids are hex there, where other JSON of protocol buffers has base64. */
export function decodeJsonRequest(bytes: Uint8Array): DecodedRequest {
  const json = JSON.parse(Buffer.from(bytes).toString(), (field, value) => {
    if (typeof value !== 'string' || !/^(trace|span|parentSpan)Id$/.test(field)) return value
    if (!/^([0-9a-f]{2})*$/.test(value)) throw new Error(`${field} is not hex: ${value}`)
    return Buffer.from(value, 'hex').toString('base64')
  })
  return plain(request.fromObject(json))
}

function plain(message: protobuf.Message): DecodedRequest {
  const options = { longs: String, bytes: String, arrays: true, defaults: true, oneofs: false }
  const decoded = request.toObject(message, options) as DecodedRequest
  dropProfilesFields(decoded)
  return decoded
}

/** Takes out the field of keys that only profiles may set, after a look at it. */
function dropProfilesFields(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  if ('keyStrindex' in value) {
    if (value.keyStrindex !== 0) throw new Error('key_strindex is set')
    delete value.keyStrindex
  }
  for (const inner of Object.values(value)) dropProfilesFields(inner)
}

export function spansOf({ resourceSpans }: DecodedRequest): DecodedSpan[] {
  return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
}

export function decodedSpans(bytes: Uint8Array): DecodedSpan[] {
  return spansOf(decodeRequest(bytes))
}

/** The answer of a collector that refuses some spans. */
export function encodePartialSuccess(rejectedSpans: number, errorMessage: string): Uint8Array {
  return response.encode({ partialSuccess: { rejectedSpans, errorMessage } }).finish()
}
