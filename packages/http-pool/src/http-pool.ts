import { type Dispatcher, fetch, type RequestInfo, type RequestInit, type Response } from 'undici'
import { systemClock } from './clock.ts'
import { InvalidRequestError } from './errors.ts'
import {
  type Dispatch,
  type ExchangeOptions,
  isReplayable,
  type RequestBody,
} from './exchange/dispatch-options.ts'
import { resolveCall } from './options/call-policy.ts'
import type { CallOptions, HttpPoolOptions } from './options/pool-options.ts'
import { resolvePoolOptions } from './options/settings.ts'
import { PoolCore } from './pool-core.ts'
import { PoolDispatcher } from './pool-dispatcher.ts'
import { headerList } from './redirect/header-list.ts'
import type { Call } from './response/following-handler.ts'
import { JsonHandler } from './response/json-handler.ts'
import { type HttpResponse, ResponseHandler } from './response/response-handler.ts'
import { type PoolStats, poolStats } from './stats.ts'
import { totalDeadline } from './time/total-deadline.ts'

/** Options of a call: undici's for the request, the pool's for its policy. */
export interface RequestOptions extends CallOptions {
  /** Default GET, or POST with a body. */
  method?: Dispatcher.HttpMethod
  headers?: Dispatcher.DispatchOptions['headers']
  /** Added to the URL's own query. */
  query?: Record<string, string | number | boolean | readonly (string | number | boolean)[]>
  /** A function makes a new body for each attempt: with it, streams can be retried too. */
  body?: RequestBody | null
  /** Passed through to the response. */
  opaque?: unknown
  /** Bytes of the body that are held for a slow reader. Default 64 KiB. */
  highWaterMark?: number
}

export interface JsonOptions extends Omit<RequestOptions, 'body' | 'opaque' | 'highWaterMark'> {
  /** A value to send as JSON. */
  json?: unknown
  body?: RequestBody | null
}

/**
 * An HTTP client: undici's connections under one cap, with deadlines, a bounded queue and retries.
 *
 * Make one for a whole service. It can carry any number of origins.
 */
export class HttpPool {
  /** The pool as an undici dispatcher, for `undici.fetch`, `stream`, `pipeline`, `setGlobalDispatcher`, … */
  readonly dispatcher: Dispatcher
  readonly #core: PoolCore
  readonly #dispatch: Dispatch

  /** @throws InvalidOptionError */
  constructor(options: HttpPoolOptions = {}) {
    const settings = resolvePoolOptions(options)
    this.#core = new PoolCore(settings, options.clock ?? systemClock, options.random ?? Math.random)
    const dispatcher = new PoolDispatcher(this.#core)
    this.dispatcher = dispatcher
    this.#dispatch = (request, handler) => void dispatcher.dispatch(request, handler)
  }

  /**
   * Sends a request; resolves when the head of the response has arrived, in the shape of undici's. Read its
   * body, `dump()` or destroy it: a body that nobody reads keeps its connection.
   *
   * A status is no error. When retries are used up, the last response is the result.
   *
   * @throws InvalidRequestError before anything is sent; HttpTimeoutError, QueueFullError, RedirectError,
   * ResponseTooLargeError, PoolClosedError; the connection's error
   */
  request(url: string | URL, options: RequestOptions = {}): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const { opaque, highWaterMark } = options
      const call = this.#call(this.#exchangeOptions(url, options, options.body ?? null), options)
      new ResponseHandler(call, opaque, highWaterMark, resolve, reject).send()
    })
  }

  /**
   * Sends a request and parses its response.
   *
   * As nothing is handed out before the last byte, an attempt that breaks off in the body is retried too.
   *
   * @throws ResponseStatusError unless the status is 2xx; ResponseParseError; all that `request` throws
   */
  json<T = unknown>(url: string | URL, options: JsonOptions = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const { json } = options
      const body = json === undefined ? (options.body ?? null) : JSON.stringify(json)
      const exchangeOptions = this.#exchangeOptions(url, options, body)
      exchangeOptions.headers = withJsonHeaders(options.headers, json !== undefined)
      new JsonHandler<T>(this.#call(exchangeOptions, options), resolve, reject).send()
    })
  }

  /** The standard `fetch` over this pool. Redirects follow the Fetch standard's own rules. */
  fetch(input: RequestInfo, init?: RequestInit): Promise<Response> {
    return fetch(input, { ...init, dispatcher: this.dispatcher })
  }

  /** A snapshot of the pool's counts. Costs O(origins + connections). */
  stats(): PoolStats {
    return poolStats(this.#core)
  }

  /** Takes no more requests, waits for those it has, then closes all connections. */
  async close(): Promise<void> {
    await this.dispatcher.close()
  }

  /** Fails all requests with `error`, or PoolClosedError, and closes all connections at once. */
  async destroy(error?: Error): Promise<void> {
    await this.dispatcher.destroy(error ?? null)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #call(options: ExchangeOptions, { signal }: CallOptions): Call {
    return { dispatch: this.#dispatch, options, signal }
  }

  #exchangeOptions(
    url: string | URL,
    options: RequestOptions,
    body: RequestBody | null,
  ): ExchangeOptions {
    const target = parseUrl(url)
    if (options.query !== undefined) appendQuery(target, options.query)
    const { settings, clock } = this.#core
    const policy = resolveCall(settings.call, options)
    const makeBody = typeof body === 'function' ? body : undefined
    const exchangeOptions: ExchangeOptions = {
      origin: target.origin,
      path: target.search === '' ? target.pathname : target.pathname + target.search,
      method: options.method ?? (body === null ? 'GET' : 'POST'),
      headers: options.headers,
      body: makeBody === undefined ? (body as ExchangeOptions['body']) : makeBody(),
      makeBody,
      policy,
      total: totalDeadline(policy.totalTimeout, clock),
    }
    if (options.retry === true && !isReplayable(exchangeOptions)) {
      throw new InvalidRequestError(
        'body',
        'A stream cannot be sent twice: give a function that makes the body, or leave out `retry: true`',
      )
    }
    return exchangeOptions
  }
}

function parseUrl(url: string | URL): URL {
  const parsed = typeof url === 'string' ? URL.parse(url) : url instanceof URL ? new URL(url) : null
  if (parsed === null) throw new InvalidRequestError('url', 'The URL is not absolute or not valid')
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') {
    throw new InvalidRequestError('url', `Cannot send to a URL of the scheme ${parsed.protocol}`)
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new InvalidRequestError('url', 'Credentials belong into a header, not into the URL')
  }
  return parsed
}

function appendQuery(url: URL, query: NonNullable<RequestOptions['query']>): void {
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) for (const each of value) url.searchParams.append(name, String(each))
    else url.searchParams.append(name, String(value))
  }
}

function withJsonHeaders(headers: RequestOptions['headers'], hasBody: boolean): string[] {
  const list = headerList(headers)
  let accept = false
  let contentType = false
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!.toLowerCase()
    accept ||= name === 'accept'
    contentType ||= name === 'content-type'
  }
  if (!accept) list.push('accept', 'application/json')
  if (hasBody && !contentType) list.push('content-type', 'application/json')
  return list
}
