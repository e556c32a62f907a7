export {
  type ClientAddress,
  type ClientAddressOptions,
  clientAddress,
} from './http/client-address.ts'
export { ClientAddressError } from './http/client-address-error.ts'
export {
  type Awaitable,
  HttpLimit,
  type HttpLimitOptions,
  type HttpVerdict,
  type Limits,
  type Refusal,
  type RequestFacts,
} from './http/http-limit.ts'
export type { CommonDecider, KeyedDecider, LimiterBounds } from './http/keyed-decider.ts'
export { LearnedLimit, type LearnedLimitStats } from './http/learned-limit.ts'
export type { NodeRequestLike, NodeResponseLike } from './http/node-message.ts'
export { type NodeMiddleware, nodeRateLimit } from './http/node-rate-limit.ts'
export {
  type HeadersLike,
  parseRateLimitHeaders,
  type RateLimitPolicy,
  rateLimitHeaders,
  type ServerLimit,
  type ServerLimits,
} from './http/rate-limit-headers.ts'
