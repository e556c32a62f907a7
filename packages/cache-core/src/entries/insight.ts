export type { Advice, AdviceOptions, Estimate, Simulated } from '../advise/advisor.ts'
export type { DepartureReason } from '../advise/departures.ts'
export {
  type CreateInsight,
  type Insight,
  type InsightOptions,
  type InsightTarget,
  insight,
} from '../advise/insight.ts'
export type { Observer } from '../kernel/observer.ts'
export type { KeyHasher } from '../key/key-hasher.ts'
