export type { DashboardRequest } from './dashboard/access.ts'
export { Dashboard, type DashboardOptions, type DashboardStats } from './dashboard/dashboard.ts'
export type { SlowSpan } from './dashboard/frames.ts'
