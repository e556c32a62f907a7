/** The second tier did not answer within `storeTimeout`. What was asked of it may still take effect; an invalidation will be repeated. */
export class StoreTimeoutError extends Error {
  override readonly name = 'StoreTimeoutError'
  readonly code = 'ERR_MILLRACE_STORE_TIMEOUT'
  /** ms for which it was waited for. */
  readonly timeout: number

  constructor(timeout: number) {
    super(`The store did not answer within ${timeout} ms`)
    this.timeout = timeout
  }
}

/** The second tier failed several times in a row and is left alone for a while. An invalidation will be repeated. */
export class StoreSuspendedError extends Error {
  override readonly name = 'StoreSuspendedError'
  readonly code = 'ERR_MILLRACE_STORE_SUSPENDED'
  /** ms until it is tried again. */
  readonly retryAfter: number

  constructor(retryAfter: number) {
    super(`The store failed too often and is tried again in ${Math.ceil(retryAfter)} ms`)
    this.retryAfter = retryAfter
  }
}

/** A call was made on a `TieredCache` after its `close`. */
export class CacheClosedError extends Error {
  override readonly name = 'CacheClosedError'
  readonly code = 'ERR_MILLRACE_CACHE_CLOSED'

  constructor() {
    super('The cache is closed')
  }
}
