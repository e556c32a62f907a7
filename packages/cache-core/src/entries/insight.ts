export type { Advice, AdviceOptions, Estimate } from '../advise/advisor.ts'
export type { DepartureReason } from '../advise/departures.ts'
export { type CreateInsight, type InsightOptions, insight } from '../advise/insight.ts'
