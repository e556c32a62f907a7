export { type Clock, systemClock, type Timer } from './clock.ts'
export {
  HttpPoolError,
  HttpTimeoutError,
  InvalidOptionError,
  InvalidRequestError,
  PoolClosedError,
  QueueFullError,
  RedirectError,
  type RedirectErrorReason,
  RequestAbortedError,
  type RequestPart,
  ResponseParseError,
  ResponseStatusError,
  ResponseTooLargeError,
  type TimeoutPhase,
} from './errors.ts'
export { HttpPool, type JsonOptions, type RequestOptions } from './http-pool.ts'
export type {
  CallOptions,
  HttpPoolOptions,
  OriginOptions,
  Timeouts,
} from './options/pool-options.ts'
export { ResponseBody } from './response/response-body.ts'
export type { HttpResponse } from './response/response-handler.ts'
export type { RetryOptions } from './retry/retry-policy.ts'
export type { OriginStats, PoolStats } from './stats.ts'
