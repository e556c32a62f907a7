/** How a caller waits. */
export interface AcquireOptions {
  /**
   * How long the caller is willing to wait, in ms; default no limit. A wait known to be longer is refused at once with
   * its length; 0 never waits.
   */
  timeout?: number | undefined
  /** Ends the wait with `signal.reason`; nothing is spent then. */
  signal?: AbortSignal | undefined
  /** 0 is served first, 9 last; default 5. Only callers that wait are compared. */
  priority?: number | undefined
  /** Whose turn this is, where the limiter shares its rate among keys by a {@link FairOrder}. */
  key?: string | undefined
  /** Permits asked for; an alternative to the first argument. Default 1. */
  cost?: number | undefined
}

/** What a caller receives with its permit. */
export interface Admission {
  /** How long it waited, in ms; 0 if it did not. */
  readonly waited: number
}

/** One limit, asked once, with everything a caller or an HTTP header needs to know. */
export interface Decision {
  readonly allowed: boolean
  /** The most that can pass at once. */
  readonly limit: number
  /** What could still pass at once, after this. */
  readonly remaining: number
  /** In ms, until the limit is whole again if nobody comes. */
  readonly resetAfter: number
  /** In ms, until what was refused could pass; 0 if it was allowed. */
  readonly retryAfter: number
}

/** What every rate limit of this package offers, whatever its algorithm. */
export interface RateLimiter {
  /** Spends `cost` if that is possible now and nobody waits; default 1. */
  tryAcquire(cost?: number): boolean
  /** Spends `cost`, waiting for it if need be. */
  acquire(cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(options?: AcquireOptions): Promise<Admission>
}
