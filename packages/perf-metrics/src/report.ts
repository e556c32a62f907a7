export { formatReport } from './report/format-report.ts'
export type { Part, PartKind } from './report/parts.ts'
export {
  type PerformanceReport,
  performanceReport,
  type ReportFinding,
} from './report/performance-report.ts'
export type { TimingReport } from './report/timing-report.ts'
