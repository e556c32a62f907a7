import {
  checkFunction,
  checkInteger,
  checkOptions,
  checkSignal,
  NULLABLE,
  type OptionNames,
} from '@millrace/kit'
import type { Dispatcher } from 'undici'
import { InvalidRequestError } from '../errors.ts'
import type { HttpCallOptions } from './call-options.ts'
import type { RequestBody } from './request-body.ts'
import type { QueryParameters } from './request-url.ts'

/**
 * Any of undici's forms of headers, or an object of texts, numbers, bigints, booleans and lists of them; null and undefined are left
 * out. As with a {@link QueryParameters}, other values are refused when the call is made, not by the type.
 */
// biome-ignore lint/suspicious/noExplicitAny: interfaces have no index signature, and are assignable to one of `any` alone
export type RequestHeaders = Dispatcher.DispatchOptions['headers'] | Readonly<Record<string, any>>

/** How far a call has come. */
export interface Progress {
  readonly direction: 'upload' | 'download'
  /** Bytes so far; of an upload, those of all its attempts. */
  readonly bytes: number
  /** Bytes in all: of a response that says so, as they are sent, before decompression; of an upload that is no stream and no form. */
  readonly total: number | undefined
}

/** Options of a call: undici's for the request, the pool's for its policy. */
export interface RequestOptions extends HttpCallOptions {
  /** CONNECT is refused. Default: GET, or POST with a body */
  readonly method?: Dispatcher.HttpMethod | undefined
  /** What is null or undefined is left out. Default: none */
  readonly headers?: RequestHeaders | undefined
  /** Added to the URL's own query. What is null or undefined is left out. Default: none */
  readonly query?: QueryParameters | undefined
  /** A function makes a new body for each attempt: with it, streams can be retried too. Default: none */
  readonly body?: RequestBody | null | undefined
  /** A value to send as JSON; not beside a body. Default: none */
  readonly json?: unknown
  /**
   * Told of each part that is sent or has come, in the order in which it happens. What it throws is the error of the call.
   * Default: none
   */
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Passed through to the response. Default: none */
  readonly opaque?: unknown
  /** Bytes of the body that are held for a slow reader, 1 or more. Default: 64 KiB */
  readonly highWaterMark?: number | undefined
}

export interface JsonOptions extends Omit<RequestOptions, 'opaque' | 'highWaterMark'> {}

const JSON_NAMES: OptionNames<JsonOptions> = {
  method: true,
  headers: true,
  query: true,
  body: NULLABLE,
  json: NULLABLE,
  onProgress: true,
  signal: true,
  acquireTimeout: true,
  headersTimeout: true,
  bodyTimeout: true,
  totalTimeout: true,
  maxRedirects: true,
  maxResponseSize: true,
  retry: true,
}

const OPTION_NAMES: OptionNames<RequestOptions> = {
  ...JSON_NAMES,
  opaque: NULLABLE,
  highWaterMark: true,
}

/** Refuses what the request could not be sent with; `ofJson` also what only a response has that its caller reads. */
export function checkRequest(options: RequestOptions, ofJson = false): void {
  if (ofJson) checkOptions<JsonOptions>('', options, JSON_NAMES)
  else checkOptions('', options, OPTION_NAMES)
  const { json, body, signal, highWaterMark, onProgress } = options
  if (json !== undefined && (body ?? undefined) !== undefined) {
    throw new InvalidRequestError('body', 'Give `json` or `body`, not both')
  }
  if (signal !== undefined) checkSignal('signal', signal)
  if (onProgress !== undefined) checkFunction('onProgress', onProgress)
  if (highWaterMark !== undefined) checkInteger('highWaterMark', highWaterMark, 1)
}
