export { type Clock, monotonicClock, type Timer } from '@millrace/kit'
export type { HttpCacheOptions } from './cache/cache-options.ts'
export type { CachedResponse, CachedResponses, ResponseStore } from './cache/response-store.ts'
export type { AttemptMessage, AttemptPhases, AttemptReason, RequestMessage } from './channels.ts'
export {
  AddressNotAllowedError,
  BodyLeakError,
  BreakerOpenError,
  HttpPoolError,
  HttpTimeoutError,
  InvalidOptionError,
  InvalidRequestError,
  PoolClosedError,
  PoolQueueFullError,
  ProxyError,
  RedirectError,
  type RedirectErrorReason,
  RequestAbortedError,
  type RequestPart,
  ResponseParseError,
  ResponseStatusError,
  ResponseTooLargeError,
  ServerLimitError,
  SupersededError,
  ThrottledError,
  type TimeoutPhase,
  UnsupportedRuntimeError,
} from './errors.ts'
export type { ResponseHeaders } from './handler.ts'
export type { BreakerState, HttpBreakerOptions } from './host/breaker.ts'
export type { HedgeOptions } from './host/hedge.ts'
export type { ThrottleOptions } from './host/throttle.ts'
export { HttpPool } from './http-pool.ts'
export type { Limiter, PermitOutcome } from './limits/limiter.ts'
export type { HttpPoolOptions, OriginOptions } from './options/pool-options.ts'
export type { HttpCallOptions, Timeouts } from './request/call-options.ts'
export type { InjectContext, InjectHeaders } from './request/inject-headers.ts'
export type { BodyChunks, BodyContent, RequestBody } from './request/request-body.ts'
export type {
  JsonOptions,
  Progress,
  RequestHeaders,
  RequestOptions,
} from './request/request-options.ts'
export type { QueryParameters } from './request/request-url.ts'
export { ResponseBody } from './response/response-body.ts'
export type { HttpResponse } from './response/response-handler.ts'
export type { HttpRetryOptions } from './retry/retry-policy.ts'
export type { AllowAddress } from './security/guarded-lookup.ts'
export { isPublicAddress } from './security/public-addresses.ts'
export type { GuardedOriginStats, OriginStats, PoolStats } from './stats.ts'
