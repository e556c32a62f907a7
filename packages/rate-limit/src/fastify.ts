export {
  type FastifyRateLimitOptions,
  type FastifyRateLimitPluginOptions,
  fastifyRateLimit,
  fastifyRateLimits,
  RequestLimitedError,
} from './http/fastify-rate-limit.ts'
export type { Awaitable, HttpLimitOptions, Limits, Refusal } from './http/http-limit.ts'
export type { CommonDecider, KeyedDecider, LimiterBounds } from './http/keyed-decider.ts'
