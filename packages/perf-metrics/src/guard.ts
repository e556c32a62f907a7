export { alertRules } from './guard/alert-rules.ts'
export {
  type CompareOptions,
  compareSnapshots,
  type HistogramComparison,
  type SnapshotComparison,
} from './guard/compare-snapshots.ts'
export {
  Guard,
  type GuardOptions,
  type GuardStats,
  type RuleState,
  type RuleStatus,
} from './guard/guard.ts'
export type {
  BurnRateRule,
  LeakRule,
  RatioRule,
  RegressionRule,
  Rule,
  Selector,
  ThresholdRule,
} from './guard/rules.ts'
