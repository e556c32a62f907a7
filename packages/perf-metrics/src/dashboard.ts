export type { DashboardRequest } from './dashboard/access.ts'
export {
  Dashboard,
  type DashboardOptions,
  type SlowSpanSource,
} from './dashboard/dashboard.ts'
export type { DashboardStats } from './dashboard/live-frames.ts'
export type { DashboardSpan } from './dashboard/slow-spans.ts'
