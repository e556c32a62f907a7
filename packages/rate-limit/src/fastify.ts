export {
  type AnyFastifyRequest,
  type FastifyRateLimitHook,
  type FastifyRateLimitOptions,
  type FastifyRateLimitPluginOptions,
  type FastifyRouteLimitOptions,
  fastifyRateLimit,
  fastifyRateLimits,
  type OfRoute,
  RequestLimitedError,
} from './http/fastify-rate-limit.ts'
export type { Awaitable, HttpLimitOptions, Limits, Refusal } from './http/http-limit.ts'
export type { CommonDecider, KeyedDecider, LimiterBounds } from './http/keyed-decider.ts'
export type { NodeRequestLike } from './http/node-message.ts'
export type { SeenLimitOptions, SeenRequest } from './http/seen-request.ts'
