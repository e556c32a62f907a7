/** A constructor option, or an option of one call, is outside its documented bounds. */
export class InvalidOptionError extends TypeError {
  override readonly name = 'InvalidOptionError'
  readonly code = 'ERR_MILLRACE_INVALID_OPTION'
  /** Name of the option as the caller wrote it. */
  readonly option: string
  /** What would have been accepted. */
  readonly expected: string
  /** What was passed. Not enumerable, so that logging the error does not log the value. */
  declare readonly received: unknown

  constructor(option: string, expected: string, received: unknown) {
    super(`Expected \`${option}\` to be ${expected}, got ${describe(received)}`)
    this.option = option
    this.expected = expected
    Object.defineProperty(this, 'received', { value: received, enumerable: false })
  }
}

/** Redis did not answer within the deadline. What was sent may still take effect. */
export class RedisTimeoutError extends Error {
  override readonly name = 'RedisTimeoutError'
  readonly code = 'ERR_MILLRACE_REDIS_TIMEOUT'
  /** The operation, such as `get`. */
  readonly operation: string
  /** The deadline that passed, in ms. */
  readonly deadline: number

  constructor(operation: string, deadline: number) {
    super(`Redis did not answer \`${operation}\` within ${deadline} ms`)
    this.operation = operation
    this.deadline = deadline
  }
}

/**
 * Why Redis cannot be used:
 * - `disconnected`: there is no connection, and no attempt to make one is under way
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

/** Names a value and its type without printing objects, which may hold secrets. */
function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'number' || typeof value === 'boolean') return `${value} (${typeof value})`
  if (typeof value === 'string') {
    return value.length > 40 ? `a string of ${value.length} characters` : `'${value}' (string)`
  }
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
