export type { PartialSuccess } from '@millrace/kit'
export { MetricsExportError } from './errors.ts'
export type { HistogramEncoding, Temporality } from './otlp/metric-data.ts'
export type { ResourceAttributes } from './otlp/resource.ts'
export type { OtlpMetricExporterOptions } from './push/exporter-options.ts'
export {
  OtlpMetricExporter,
  /** Its earlier name, under which programs know it. */
  OtlpMetricExporter as OtlpExporter,
  type OtlpMetricExporterStats,
} from './push/otlp-metric-exporter.ts'
