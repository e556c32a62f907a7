import { isError } from '@millrace/kit'
import { HttpTimeoutError, ProxyError } from '../errors.ts'

/** Failures of a connection or of an attempt that may be gone at the next one. */
const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  // Of undici for what its sockets and streams go through: reset, closed, gone away.
  'UND_ERR_INFO',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'ERR_HTTP2_GOAWAY_SESSION',
  // What one stream did to a session ends the requests of all others on it.
  'ERR_HTTP2_ERROR',
  'ERR_HTTP2_INVALID_SESSION',
  'ERR_HTTP2_TOO_MANY_INVALID_FRAMES',
  'ERR_HTTP2_STREAM_ERROR',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_STREAM_PREMATURE_CLOSE',
])

/**
 * Whether another attempt may succeed. Not so for TLS and certificate errors, malformed responses and
 * refusals of the pool itself, which would only come again.
 */
export function isTransient(error: Error): boolean {
  if (error instanceof HttpTimeoutError) {
    return error.phase === 'connect' || error.phase === 'headers' || error.phase === 'body'
  }
  if (error instanceof ProxyError) {
    const { statusCode, cause } = error
    if (statusCode !== undefined) return statusCode >= 500
    return !isError(cause) || isTransient(cause)
  }
  const { code } = error as NodeJS.ErrnoException
  if (typeof code === 'string') return TRANSIENT_CODES.has(code)
  // Every address of a name failed: worth another attempt if any of them is.
  return error instanceof AggregateError && error.errors.some(each => isTransient(each))
}

/** The errors by which a connection that died between two requests shows. */
export function isDeadConnection(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE'
}
