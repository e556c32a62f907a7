export { MetricsSnapshotError } from './errors.ts'
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
export { alertRules } from './guard/prometheus/alert-rules.ts'
export type {
  BurnRateRule,
  BurnWindow,
  LeakRule,
  RatioRule,
  RegressionRule,
  Rule,
  RuleBase,
  RuleLimits,
  Selector,
  ThresholdRule,
} from './guard/rules.ts'
