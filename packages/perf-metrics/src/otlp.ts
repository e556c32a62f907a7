export { MetricsExportError } from './errors.ts'
export type { HistogramEncoding, Temporality } from './otlp/metric-data.ts'
export type { ResourceAttributes } from './otlp/resource.ts'
export {
  OtlpExporter,
  type OtlpExporterOptions,
  type OtlpExporterStats,
} from './push/otlp-exporter.ts'
