export { type Clock, monotonicClock, type Timer } from '@millrace/kit'
export {
  TokenBucket,
  type TokenBucketOptions,
  type TokenBucketStats,
} from './bucket/token-bucket.ts'
export {
  type CombinedDecision,
  CombinedLimiter,
  type CombinedPart,
  combine,
} from './combined/combine.ts'
export {
  AcquireTimeoutError,
  InvalidOptionError,
  LimiterClosedError,
  LimitStoreUnavailableError,
  QueueFullError,
  RateLimitedError,
} from './errors.ts'
export { KeyedLimiter } from './keyed/keyed-limiter.ts'
export type { KeyedLimiterOptions, KeyedLimiterStats } from './keyed/keyed-limiter-options.ts'
export {
  type JointDecision,
  type KeyedLimitPart,
  KeyedLimits,
  type PartDecision,
} from './keyed/keyed-limits.ts'
export {
  KeyedSemaphore,
  type KeyedSemaphoreOptions,
  type KeyedSemaphoreStats,
} from './keyed/keyed-semaphore.ts'
export {
  KeyedWindow,
  type KeyedWindowOptions,
  type KeyedWindowStats,
} from './keyed/keyed-window.ts'
export type { LimiterOptions } from './limiter/limiter-options.ts'
export { type LimiterStats, MeteredLimiter } from './limiter/metered-limiter.ts'
export type { Decision, RateLimiter } from './limiter/rate-limiter.ts'
export type { RateStats } from './limiter/rate-stats.ts'
export type { Meter } from './meter/meter.ts'
export type { TokenBucketLimits } from './meter/token-bucket-limits.ts'
export type { Permit } from './semaphore/permit.ts'
export {
  Semaphore,
  type SemaphoreOptions,
  type SemaphoreStats,
} from './semaphore/semaphore.ts'
export type { SemaphoreAcquireOptions } from './semaphore/semaphore-acquire.ts'
export type { AcquireOptions, Admission } from './wait/acquire-options.ts'
export type { LimitMessage } from './wait/channels.ts'
export { FairOrder, type FairOrderOptions } from './wait/order/fair-order.ts'
export { PriorityOrder, type PriorityOrderOptions } from './wait/order/priority-order.ts'
export type { WaitOrder } from './wait/order/wait-order.ts'
export type { WaitStats } from './wait/wait-totals.ts'
export type { Waiter } from './wait/waiter.ts'
export {
  SlidingWindow,
  type SlidingWindowOptions,
  type SlidingWindowStats,
} from './window/sliding-window.ts'
export {
  type ConcurrentOptions,
  concurrent,
  type KeyedRunner,
  type Runner,
} from './wrap/concurrent.ts'
export {
  type AskingLimiter,
  type DecidingLimiter,
  type KeyedAskingLimiter,
  type KeyedDecidingLimiter,
  type KeyedWaitingLimiter,
  type LimitedOptions,
  limited,
  type RefusingOptions,
  type WaitingLimiter,
} from './wrap/limited.ts'
export type {
  AnyFunction,
  Deferred,
  DeferringWrapper,
  Keyed,
  TransparentWrapper,
} from './wrap/wrapper.ts'
