export type {
  AlertThresholds,
  CacheFigures,
  Finding,
  Report,
  ReportedCache,
  ReportedOptions,
} from '../report/cache-report.ts'
export { CacheReporter } from '../report/cache-report.ts'
