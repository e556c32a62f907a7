import type { Dispatcher } from 'undici'
import { InvalidOptionError, InvalidRequestError } from '../errors.ts'
import type { CallOptions } from '../options/pool-options.ts'
import type { RequestBody } from './request-body.ts'
import type { Query } from './request-url.ts'

/** Options of a call: undici's for the request, the pool's for its policy. */
export interface RequestOptions extends CallOptions {
  /** Default GET, or POST with a body; CONNECT is refused. */
  method?: Dispatcher.HttpMethod
  headers?: Dispatcher.DispatchOptions['headers']
  /** Added to the URL's own query. What is null or undefined is left out. */
  query?: Query
  /** A function makes a new body for each attempt: with it, streams can be retried too. */
  body?: RequestBody | null
  /** A value to send as JSON; not beside a body. */
  json?: unknown
  /** Passed through to the response. */
  opaque?: unknown
  /** Bytes of the body that are held for a slow reader, 1 or more. Default 64 KiB. */
  highWaterMark?: number
}

export interface JsonOptions extends Omit<RequestOptions, 'opaque' | 'highWaterMark'> {}

const names: Readonly<Record<keyof RequestOptions, true>> = {
  method: true,
  headers: true,
  query: true,
  body: true,
  json: true,
  opaque: true,
  highWaterMark: true,
  signal: true,
  acquireTimeout: true,
  headersTimeout: true,
  bodyTimeout: true,
  totalTimeout: true,
  maxRedirects: true,
  maxResponseSize: true,
  retry: true,
}

/**
 * Refuses what the request could not be sent with, and names that no option has: a misspelt time limit must
 * not silently be none.
 */
export function checkOptions(options: RequestOptions): void {
  for (const name in options) {
    if (!Object.hasOwn(names, name)) {
      const received = (options as Record<string, unknown>)[name]
      throw new InvalidOptionError(name, 'absent, as there is no such option', received)
    }
  }
  const { json, body, signal, highWaterMark } = options
  if (json !== undefined && (body ?? undefined) !== undefined) {
    throw new InvalidRequestError('body', 'Give `json` or `body`, not both')
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidOptionError('signal', 'an AbortSignal', signal)
  }
  if (highWaterMark !== undefined && !(Number.isSafeInteger(highWaterMark) && highWaterMark > 0)) {
    throw new InvalidOptionError('highWaterMark', 'a positive integer', highWaterMark)
  }
}
