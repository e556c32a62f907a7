export type { DropPolicy } from './otlp/chunk-queue.ts'
export type { Encoder } from './otlp/encoding/encoder.ts'
export { JsonEncoder } from './otlp/encoding/json-encoder.ts'
export { FileExporter, type FileExporterOptions } from './otlp/file-exporter.ts'
export type { OtlpTraceExporterOptions, RetryOptions } from './otlp/otlp-options.ts'
export {
  OtlpTraceExporter,
  /** Its earlier name, under which programs know it. */
  OtlpTraceExporter as OtlpExporter,
} from './otlp/otlp-trace-exporter.ts'
export { ProtobufEncoder } from './otlp/protobuf/protobuf-encoder.ts'
