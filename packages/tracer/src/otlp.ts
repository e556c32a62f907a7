export type { DropPolicy } from './otlp/chunk-queue.ts'
export { OtlpExporter } from './otlp/otlp-exporter.ts'
export type { OtlpExporterOptions, RetryOptions } from './otlp/otlp-options.ts'
