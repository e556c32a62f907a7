export { type ExpressMiddleware, expressRateLimit } from './http/express-rate-limit.ts'
export type { Awaitable, HttpLimitOptions, Limits, Refusal } from './http/http-limit.ts'
export type { CommonDecider, KeyedDecider, LimiterBounds } from './http/keyed-decider.ts'
export type { SeenLimitOptions, SeenRequest } from './http/seen-request.ts'
