import definitions from 'otlp-definitions/build/src/generated/root.js'
import protobuf from 'protobufjs'

/** What reads messages of one type; protobufjs makes such types from descriptors and as generated code. */
export interface MessageType {
  decode(bytes: Uint8Array | protobuf.Reader): object
  decodeDelimited(bytes: Uint8Array | protobuf.Reader): object
  encode(message: object): { finish(): Uint8Array }
  fromObject(object: object): object
  toObject(message: object, options?: protobuf.IConversionOptions): Decoded
}

/** A decoded message of any shape: the tests say what they expect of it. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export type Decoded = any

/** OTLP's messages as generated from the official definitions; the last version of the package that can also decode. */
const { metrics } = (definitions as Decoded).opentelemetry.proto.collector
export const exportMetricsRequest: MessageType = metrics.v1.ExportMetricsServiceRequest
export const exportMetricsResponse: MessageType = metrics.v1.ExportMetricsServiceResponse

/** As in proto2: a field that was sent is there, also when it holds its type's default. */
const options = { features: { field_presence: 'EXPLICIT' } }
const field = (id: number, type: string) => ({ id, type, options })
const list = (id: number, type: string) => ({ id, type, rule: 'repeated' })

/** Fields and numbers of `io.prometheus.client.MetricFamily`, of which no package on npm has the definitions. */
const metricFamily: MessageType = protobuf.Root.fromJSON({
  nested: {
    Timestamp: { fields: { seconds: field(1, 'int64'), nanos: field(2, 'int32') } },
    LabelPair: { fields: { name: field(1, 'string'), value: field(2, 'string') } },
    Exemplar: {
      fields: {
        label: list(1, 'LabelPair'),
        value: field(2, 'double'),
        timestamp: field(3, 'Timestamp'),
      },
    },
    Gauge: { fields: { value: field(1, 'double') } },
    Counter: {
      fields: {
        value: field(1, 'double'),
        exemplar: field(2, 'Exemplar'),
        createdTimestamp: field(3, 'Timestamp'),
      },
    },
    Bucket: {
      fields: {
        cumulativeCount: field(1, 'uint64'),
        upperBound: field(2, 'double'),
        exemplar: field(3, 'Exemplar'),
        cumulativeCountFloat: field(4, 'double'),
      },
    },
    BucketSpan: { fields: { offset: field(1, 'sint32'), length: field(2, 'uint32') } },
    Histogram: {
      fields: {
        sampleCount: field(1, 'uint64'),
        sampleSum: field(2, 'double'),
        bucket: list(3, 'Bucket'),
        sampleCountFloat: field(4, 'double'),
        schema: field(5, 'sint32'),
        zeroThreshold: field(6, 'double'),
        zeroCount: field(7, 'uint64'),
        zeroCountFloat: field(8, 'double'),
        negativeSpan: list(9, 'BucketSpan'),
        negativeDelta: list(10, 'sint64'),
        negativeCount: list(11, 'double'),
        positiveSpan: list(12, 'BucketSpan'),
        positiveDelta: list(13, 'sint64'),
        positiveCount: list(14, 'double'),
        createdTimestamp: field(15, 'Timestamp'),
        exemplars: list(16, 'Exemplar'),
      },
    },
    Metric: {
      fields: {
        label: list(1, 'LabelPair'),
        gauge: field(2, 'Gauge'),
        counter: field(3, 'Counter'),
        timestampMs: field(6, 'int64'),
        histogram: field(7, 'Histogram'),
      },
    },
    MetricFamily: {
      fields: {
        name: field(1, 'string'),
        help: field(2, 'string'),
        type: field(3, 'int32'),
        metric: list(4, 'Metric'),
        unit: field(5, 'string'),
      },
    },
  },
}).lookupType('MetricFamily')

/** Decodes a protobuf exposition: families, each preceded by its length. */
export function metricFamilies(body: Uint8Array): Decoded[] {
  const families: Decoded[] = []
  const reader = protobuf.Reader.create(body)
  while (reader.pos < reader.len) {
    families.push(metricFamily.toObject(metricFamily.decodeDelimited(reader), { longs: Number }))
  }
  return families
}

/** Decodes to plain objects: 64-bit integers as decimal strings, bytes as base64; fields not sent are left out unless `defaults`. */
export function decoded(type: MessageType, bytes: Uint8Array, defaults = false): Decoded {
  return type.toObject(type.decode(bytes), {
    longs: String,
    bytes: String,
    enums: String,
    defaults,
  })
}
