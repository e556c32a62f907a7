export { formatReport } from './report/format-report.ts'
export type { Part, PartKind } from './report/parts.ts'
export {
  type PerformanceReport,
  performanceReport,
  type ReportFinding,
  type TimingReport,
} from './report/performance-report.ts'
