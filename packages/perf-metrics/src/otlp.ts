export { ExportError } from './errors.ts'
export type { HistogramEncoding, Temporality } from './otlp/metric-data.ts'
export {
  OtlpExporter,
  type OtlpExporterOptions,
  type OtlpExporterStats,
} from './otlp/otlp-exporter.ts'
export type { ResourceAttributes } from './otlp/resource.ts'
