export { InvalidOptionError } from '@millrace/kit'

/**
 * A request that is refused before any byte is sent: its URL, method, header or body cannot be used. Only what a stream or an
 * iterable yields that is neither a text nor bytes is found when its turn comes.
 */
export class InvalidRequestError extends TypeError {
  override readonly name = 'InvalidRequestError'
  readonly code = 'ERR_MILLRACE_INVALID_REQUEST'
  /** The part at fault: `url`, `method`, `headers` or `body`. */
  readonly part: RequestPart

  constructor(part: RequestPart, message: string, options?: ErrorOptions) {
    super(message, options)
    this.part = part
  }
}

export type RequestPart = 'url' | 'method' | 'headers' | 'body'

/** The runtime has something else in the place of undici's package, without what a pool is made of. Bun has. */
export class UnsupportedRuntimeError extends Error {
  override readonly name = 'UnsupportedRuntimeError'
  readonly code = 'ERR_MILLRACE_UNSUPPORTED_RUNTIME'

  constructor() {
    super(
      'A pool needs the package undici of npm, and this runtime (Bun) has a module of its own in its place: use Node or Deno',
    )
  }
}

/** What all errors of a running request have in common. */
export abstract class HttpPoolError extends Error {
  abstract readonly code: string
  /** Scheme, host and port of the server, never the path: paths and queries hold user data. */
  readonly origin: string

  constructor(message: string, origin: string, options?: ErrorOptions) {
    super(message, options)
    this.origin = origin
  }
}

/**
 * The phase of a request in which its time ran out.
 * - `acquire`: waiting for a limiter's permit or for a connection
 * - `connect`: name lookup, TCP and TLS handshakes
 * - `headers`: from the request's latest chunk to the final response's head
 * - `body`: between two chunks of the response
 * - `total`: from the call to the response's last byte, over all attempts
 */
export type TimeoutPhase = 'acquire' | 'connect' | 'headers' | 'body' | 'total'

const TIMEOUT_CODES = {
  acquire: 'ERR_MILLRACE_HTTP_ACQUIRE_TIMEOUT',
  connect: 'ERR_MILLRACE_HTTP_CONNECT_TIMEOUT',
  headers: 'ERR_MILLRACE_HTTP_HEADERS_TIMEOUT',
  body: 'ERR_MILLRACE_HTTP_BODY_TIMEOUT',
  total: 'ERR_MILLRACE_HTTP_TOTAL_TIMEOUT',
} as const

/** A deadline passed. `phase` and `code` say which one. */
export class HttpTimeoutError extends HttpPoolError {
  override readonly name = 'HttpTimeoutError'
  readonly code: `ERR_MILLRACE_HTTP_${Uppercase<TimeoutPhase>}_TIMEOUT`
  readonly phase: TimeoutPhase
  /** The deadline that passed, in ms. */
  readonly timeout: number

  constructor(phase: TimeoutPhase, timeout: number, origin: string) {
    super(`The ${phase} timeout of ${timeout} ms passed for ${origin}`, origin)
    this.code = TIMEOUT_CODES[phase]
    this.phase = phase
    this.timeout = timeout
  }
}

/** The bounded queue had no room: the request was never sent. */
export class PoolQueueFullError extends HttpPoolError {
  override readonly name = 'PoolQueueFullError'
  readonly code = 'ERR_MILLRACE_POOL_QUEUE_FULL'
  /** The bound that was reached. */
  readonly maxQueue: number

  constructor(maxQueue: number, origin: string) {
    super(`${maxQueue} requests already wait for a connection, refused one to ${origin}`, origin)
    this.maxQueue = maxQueue
  }
}

/** The host's breaker is open, or half-open: most attempts of late have failed. Nothing was sent. */
export class BreakerOpenError extends HttpPoolError {
  override readonly name = 'BreakerOpenError'
  readonly code = 'ERR_MILLRACE_BREAKER_OPEN'
  /** In ms, when to ask again; 0 while it is half-open. */
  readonly retryAfter: number

  constructor(retryAfter: number, origin: string) {
    const state =
      retryAfter > 0 ? `is open for ${Math.ceil(retryAfter)} ms more` : 'lets only a few through'
    super(`The breaker for ${origin} ${state}`, origin)
    this.retryAfter = retryAfter
  }
}

/** The host rejects much of what it gets, so this request was rejected here. Nothing was sent. */
export class ThrottledError extends HttpPoolError {
  override readonly name = 'ThrottledError'
  readonly code = 'ERR_MILLRACE_THROTTLED'
  /** The share of requests that are rejected at present. */
  readonly probability: number

  constructor(probability: number, origin: string) {
    super(`${Math.round(probability * 100)} % of the requests to ${origin} are rejected`, origin)
    this.probability = probability
  }
}

/** The host's own limit, as its responses tell it, leaves no room in time. Nothing was sent. */
export class ServerLimitError extends HttpPoolError {
  override readonly name = 'ServerLimitError'
  readonly code = 'ERR_MILLRACE_SERVER_LIMIT'
  /** In ms, when there is room. */
  readonly retryAfter: number

  constructor(retryAfter: number, origin: string) {
    super(`The limit of ${origin} leaves no room for ${Math.ceil(retryAfter)} ms`, origin)
    this.retryAfter = retryAfter
  }
}

/** The body was not read while other requests waited for its connection. */
export class BodyLeakError extends HttpPoolError {
  override readonly name = 'BodyLeakError'
  readonly code = 'ERR_MILLRACE_BODY_LEAK'
  /** How long it was left, in ms. */
  readonly timeout: number

  constructor(timeout: number, origin: string) {
    super(
      `A body of ${origin} was not read for ${timeout} ms while others waited: read it or call dump()`,
      origin,
    )
    this.timeout = timeout
  }
}

/** A name resolved to an address that `addresses` does not allow, or the URL named one. Nothing was sent. */
export class AddressNotAllowedError extends HttpPoolError {
  override readonly name = 'AddressNotAllowedError'
  readonly code = 'ERR_MILLRACE_ADDRESS_NOT_ALLOWED'

  constructor(origin: string) {
    super(`The address of ${origin} is not allowed`, origin)
  }
}

/** The proxy could not be reached, or refused a tunnel. Nothing was sent. */
export class ProxyError extends HttpPoolError {
  override readonly name = 'ProxyError'
  readonly code = 'ERR_MILLRACE_PROXY'
  /** Scheme, host and port of the proxy, never its credentials. */
  readonly proxy: string
  /** What it answered to CONNECT, such as 407 where it wants other credentials; undefined if it gave no HTTP answer. */
  readonly statusCode: number | undefined

  constructor(proxy: string, statusCode: number | undefined, origin: string, cause: unknown) {
    const what = statusCode === undefined ? 'made no tunnel' : `answered ${statusCode} to a tunnel`
    super(`The proxy ${proxy} ${what} to ${origin}`, origin, cause === undefined ? {} : { cause })
    this.proxy = proxy
    this.statusCode = statusCode
  }
}

/** The pool was closed or destroyed. */
export class PoolClosedError extends HttpPoolError {
  override readonly name = 'PoolClosedError'
  readonly code = 'ERR_MILLRACE_POOL_CLOSED'

  constructor(origin: string) {
    super('The pool is closed', origin)
  }
}

/** The caller aborted without giving a reason. */
export class RequestAbortedError extends HttpPoolError {
  override readonly name = 'RequestAbortedError'
  readonly code = 'ERR_MILLRACE_REQUEST_ABORTED'

  constructor(origin: string) {
    super(`The request to ${origin} was aborted`, origin)
  }
}

/** Ends an attempt that is no longer needed; a caller never sees it, subscribers of the channels do. */
export class SupersededError extends HttpPoolError {
  override readonly name = 'SupersededError'
  readonly code = 'ERR_MILLRACE_SUPERSEDED'

  constructor(origin: string) {
    super('The attempt was not needed any more', origin)
  }
}

/** A redirect that must not be followed: too many, a loop, or from https to http. */
export class RedirectError extends HttpPoolError {
  override readonly name = 'RedirectError'
  readonly code = 'ERR_MILLRACE_REDIRECT'
  /**
   * - `limit`: more than `maxRedirects`
   * - `downgrade`: from https to http
   * - `location`: not an http or https URL, one with credentials, or more than one
   * - `body`: the body cannot be sent a second time
   */
  readonly reason: RedirectErrorReason

  constructor(reason: RedirectErrorReason, message: string, origin: string) {
    super(message, origin)
    this.reason = reason
  }
}

export type RedirectErrorReason = 'limit' | 'downgrade' | 'location' | 'body'

/** The response was larger than `maxResponseSize`, as received or as decompressed. */
export class ResponseTooLargeError extends HttpPoolError {
  override readonly name = 'ResponseTooLargeError'
  readonly code = 'ERR_MILLRACE_RESPONSE_TOO_LARGE'
  /** The bound that was passed, in bytes. */
  readonly limit: number

  constructor(limit: number, origin: string) {
    super(`The response of ${origin} is larger than ${limit} bytes`, origin)
    this.limit = limit
  }
}

/** `json()` got a status other than 2xx. */
export class ResponseStatusError extends HttpPoolError {
  override readonly name = 'ResponseStatusError'
  readonly code = 'ERR_MILLRACE_RESPONSE_STATUS'
  readonly statusCode: number
  readonly headers: Record<string, string | string[] | undefined>
  /** The body, as text, cut after 16 KiB. Kept out of the message: it may hold user data. */
  readonly body: string

  constructor(
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
    body: string,
    origin: string,
  ) {
    super(`${origin} answered ${statusCode}`, origin)
    this.statusCode = statusCode
    this.headers = headers
    this.body = body
  }
}

/** `json()` got a body that is not JSON. `cause` is the parser's error. */
export class ResponseParseError extends HttpPoolError {
  override readonly name = 'ResponseParseError'
  readonly code = 'ERR_MILLRACE_RESPONSE_PARSE'

  constructor(origin: string, cause: unknown) {
    super(`The response of ${origin} is not JSON`, origin, { cause })
  }
}
