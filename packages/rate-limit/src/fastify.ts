export {
  type FastifyRateLimitOptions,
  type FastifyRateLimitPluginOptions,
  fastifyRateLimit,
  fastifyRateLimits,
  RequestLimitedError,
} from './http/fastify-rate-limit.ts'
export type { Awaitable, HttpLimitOptions, KeyedDecider, Refusal } from './http/http-limit.ts'
