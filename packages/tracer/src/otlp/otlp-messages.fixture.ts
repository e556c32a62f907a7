import protobuf from 'protobufjs'

/** The messages of opentelemetry-proto 1.x that carry traces, by field number; for decoding in tests. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
  message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
  message Scope {
    string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4;
  }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message ArrayValue { repeated AnyValue values = 1; }
  message KeyValueList { repeated KeyValue values = 1; }
  message AnyValue {
    oneof value {
      string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
      ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7;
    }
  }
  message Status { string message = 2; int32 code = 3; }
  message Event {
    fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4;
  }
  message Link {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4;
    uint32 dropped_attributes_count = 5; fixed32 flags = 6;
  }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5;
    int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
    uint32 dropped_attributes_count = 10; repeated Event events = 11; uint32 dropped_events_count = 12;
    repeated Link links = 13; uint32 dropped_links_count = 14; Status status = 15; fixed32 flags = 16;
  }
  message Response { PartialSuccess partial_success = 1; }
  message PartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
`)

const request = root.lookupType('Request')
const response = root.lookupType('Response')

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
  return request.toObject(request.decode(bytes), {
    longs: String,
    bytes: String,
    arrays: true,
    defaults: true,
    oneofs: false,
  }) as DecodedRequest
}

export function decodedSpans(bytes: Uint8Array): DecodedSpan[] {
  return decodeRequest(bytes).resourceSpans.flatMap(resource =>
    resource.scopeSpans.flatMap(scope => scope.spans),
  )
}

/** The answer of a collector that refuses some spans. */
export function encodePartialSuccess(rejectedSpans: number, errorMessage: string): Uint8Array {
  return response.encode({ partialSuccess: { rejectedSpans, errorMessage } }).finish()
}
