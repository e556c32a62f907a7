export { InvalidOptionError } from '@millrace/kit'

/** The limit refuses: the permit cannot be had at once, or not within the call's timeout. Nothing was spent. */
export class RateLimitedError extends Error {
  override readonly name = 'RateLimitedError'
  readonly code = 'ERR_MILLRACE_RATE_LIMITED'
  /** When the same request could pass if nothing else came, in ms from now. */
  readonly retryAfter: number
  /** Name of the limiter that refused. */
  readonly limiter: string

  constructor(limiter: string, retryAfter: number, options?: ErrorOptions) {
    super(`Limiter "${limiter}" refuses: retry after ${milliseconds(retryAfter)}`, options)
    this.limiter = limiter
    this.retryAfter = retryAfter
  }
}

/** The call's timeout passed while it waited for a permit. Nothing was spent. */
export class AcquireTimeoutError extends Error {
  override readonly name = 'AcquireTimeoutError'
  readonly code = 'ERR_MILLRACE_ACQUIRE_TIMEOUT'
  readonly limiter: string
  /** How long the call waited, in ms. */
  readonly waited: number

  constructor(limiter: string, waited: number, options?: ErrorOptions) {
    super(`Limiter "${limiter}" gave no permit within ${milliseconds(waited)}`, options)
    this.limiter = limiter
    this.waited = waited
  }
}

/** As many calls as `maxQueue` allows wait already. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
  readonly code = 'ERR_MILLRACE_QUEUE_FULL'
  readonly limiter: string
  readonly maxQueue: number

  constructor(limiter: string, maxQueue: number) {
    super(`Limiter "${limiter}" has ${maxQueue} of ${maxQueue} calls waiting`)
    this.limiter = limiter
    this.maxQueue = maxQueue
  }
}

/** The limiter was closed, before the call or while it waited. */
export class LimiterClosedError extends Error {
  override readonly name = 'LimiterClosedError'
  readonly code = 'ERR_MILLRACE_LIMITER_CLOSED'
  readonly limiter: string

  constructor(limiter: string) {
    super(`Limiter "${limiter}" is closed`)
    this.limiter = limiter
  }
}

/**
 * The store that holds a distributed limit did not answer in time, or is known to be down. It says nothing about the
 * limit: unlike {@link RateLimitedError} it is no reason for a 429.
 */
export class LimitStoreUnavailableError extends Error {
  override readonly name = 'LimitStoreUnavailableError'
  readonly code = 'ERR_MILLRACE_LIMIT_STORE_UNAVAILABLE'
  readonly limiter: string

  constructor(limiter: string, options?: ErrorOptions) {
    super(`The store of limiter "${limiter}" is not available`, options)
    this.limiter = limiter
  }
}

/** A distributed permit was lost while it was held: it could not be renewed in time, or the store forgot it. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
  readonly code = 'ERR_MILLRACE_LEASE_LOST'
  readonly limiter: string

  constructor(limiter: string, options?: ErrorOptions) {
    super(`A permit of limiter "${limiter}" was lost`, options)
    this.limiter = limiter
  }
}

/** A job ran longer than its `expiration`. Its place was given to the next; the job itself may run on. */
export class JobExpiredError extends Error {
  override readonly name = 'JobExpiredError'
  readonly code = 'ERR_MILLRACE_JOB_EXPIRED'
  readonly limiter: string

  constructor(limiter: string, options?: ErrorOptions) {
    super(`A job of "${limiter}" ran longer than its expiration`, options)
    this.limiter = limiter
  }
}

function milliseconds(value: number): string {
  return `${Math.ceil(value)} ms`
}
