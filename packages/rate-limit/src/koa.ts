export type { Awaitable, HttpLimitOptions, Limits, Refusal } from './http/http-limit.ts'
export type { CommonDecider, KeyedDecider, LimiterBounds } from './http/keyed-decider.ts'
export { type KoaContextLike, type KoaMiddleware, koaRateLimit } from './http/koa-rate-limit.ts'
export type { SeenLimitOptions, SeenRequest } from './http/seen-request.ts'
