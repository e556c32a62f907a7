import type { AcquireOptions, Admission } from '../wait/acquire-options.ts'

/** One limit, asked once, with everything a call or an HTTP header needs to know. */
export interface Decision {
  readonly allowed: boolean
  /** The most that can pass at once. */
  readonly limit: number
  /** What could still pass at once, after this. */
  readonly remaining: number
  /** In ms, until the limit is whole again if no call comes. */
  readonly resetAfter: number
  /** In ms, until what was refused could pass; 0 if it was allowed. */
  readonly retryAfter: number
  /** In ms, until one permit more could pass; 0 where one is left. Limits that do not tell are taken to be whole by `resetAfter`. */
  readonly nextAfter?: number | undefined
}

/** What every rate limit of this package offers, whatever its algorithm. */
export interface RateLimiter {
  /** Spends `cost` if that is possible now and no call waits. Default: 1 */
  tryAcquire(cost?: number): boolean
  /** Spends `cost`, waiting for it if need be. */
  acquire(cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(options?: AcquireOptions): Promise<Admission>
}
