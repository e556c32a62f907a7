import type { ClientHttp2Stream } from 'node:http2'

/** RFC 9113 section 7: the stream was refused before any of the request was processed. */
const REFUSED_STREAM = 7

/** The error that Node makes of every other code, for a stream that was reset before its end. */
export function resetError({ rstCode }: ClientHttp2Stream): Error {
  const error = new Error(`The HTTP/2 stream was reset with code ${rstCode}`)
  return Object.assign(error, { code: 'ERR_HTTP2_STREAM_ERROR', http2ErrorCode: rstCode })
}

/** For a request on a connection whose GOAWAY says that the server has not looked at it (RFC 9113 section 6.8). */
export function goawayError(): Error {
  const error = new Error('The server closed the HTTP/2 connection without having read the request')
  return Object.assign(error, { code: 'ERR_HTTP2_GOAWAY_SESSION' })
}

/** Of a session that had ended before the request could go out on it. */
const INVALID_SESSION = 'ERR_HTTP2_INVALID_SESSION'

/** After which Node sends nothing more on a session, whose socket may still be open for a while. */
const SESSION_ERRORS: readonly (string | undefined)[] = [
  INVALID_SESSION,
  'ERR_HTTP2_ERROR',
  'ERR_HTTP2_TOO_MANY_INVALID_FRAMES',
]

/** Whether the session that carried a request is at its end, with all that it carries. */
export function isSessionEnd(error: Error): boolean {
  return SESSION_ERRORS.includes((error as NodeJS.ErrnoException).code)
}

/** Whether a request was not sent, or a server that closes or refuses has said that it has not processed it: it may be sent again, whatever it is. */
export function isUnprocessed(error: Error): boolean {
  const { code, http2ErrorCode } = error as NodeJS.ErrnoException & { http2ErrorCode?: number }
  return (
    code === 'ERR_HTTP2_GOAWAY_SESSION' ||
    code === INVALID_SESSION ||
    http2ErrorCode === REFUSED_STREAM
  )
}

/**
 * Why an HTTP/2 stream is given up, as undici is told. It takes any other code than its own for an error of the connection, and
 * fails what waits on it: one caller's abort would be the end of others' requests.
 */
export class StreamAbandoned extends Error {
  override readonly name = 'StreamAbandoned'
  readonly code = 'UND_ERR_INFO'

  constructor(cause: Error) {
    super(cause.message, { cause })
  }
}
