/** Redis did not answer within its timeout. What was sent may still take effect. */
export class RedisTimeoutError extends Error {
  override readonly name = 'RedisTimeoutError'
  readonly code = 'ERR_MILLRACE_REDIS_TIMEOUT'
  /** The operation, such as `get`. */
  readonly operation: string
  /** How long it was waited for, in ms. */
  readonly timeout: number

  constructor(operation: string, timeout: number) {
    super(`Redis did not answer \`${operation}\` within ${timeout} ms`)
    this.operation = operation
    this.timeout = timeout
  }
}

/**
 * Why Redis cannot be used:
 * - `disconnected`: there is no connection, and no attempt to make one is under way, or it failed; nothing was sent
 * - `breaker`: several calls in a row were not answered, so none is sent for a while
 * - `overloaded`: too many calls wait for an answer already
 * - `connection`: the connection broke while the reply was awaited
 * - `reply`: Redis answered with an error, such as OOM, LOADING or READONLY; see `cause`
 */
export type UnavailableReason = 'disconnected' | 'breaker' | 'overloaded' | 'connection' | 'reply'

/** An operation failed because of Redis or the connection to it. */
export class RedisUnavailableError extends Error {
  override readonly name = 'RedisUnavailableError'
  readonly code = 'ERR_MILLRACE_REDIS_UNAVAILABLE'
  /** The operation, such as `get`. */
  readonly operation: string
  readonly reason: UnavailableReason

  constructor(operation: string, reason: UnavailableReason, options?: ErrorOptions) {
    const what = {
      disconnected: 'Redis is not connected',
      breaker: 'Redis has not answered lately and is left alone for a while',
      overloaded: 'too many calls wait for Redis already',
      connection: 'the connection to Redis broke',
      reply: 'Redis refused it',
    }[reason]
    super(`\`${operation}\` failed: ${what}`, options)
    this.operation = operation
    this.reason = reason
  }
}

/** A value is larger than the store's `maxValueBytes`. Nothing was sent. */
export class ValueTooLargeError extends RangeError {
  override readonly name = 'ValueTooLargeError'
  readonly code = 'ERR_MILLRACE_REDIS_VALUE_TOO_LARGE'
  /** Bytes of the packed value. */
  readonly size: number
  /** Bytes that are allowed. */
  readonly limit: number

  constructor(size: number, limit: number) {
    super(`The packed value has ${size} bytes, more than the ${limit} of \`maxValueBytes\``)
    this.size = size
    this.limit = limit
  }
}
