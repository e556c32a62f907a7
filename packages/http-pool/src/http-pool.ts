import { counters, describeStats, gauges, isError, type StatsKinds } from '@millrace/kit'
import {
  type Dispatcher,
  FormData as UndiciFormData,
  Request as UndiciRequest,
  fetch as undiciFetch,
} from 'undici'
import { CallDispatcher } from './dispatch/call-dispatcher.ts'
import { PoolDispatcher } from './dispatch/pool-dispatcher.ts'
import { InvalidRequestError, RedirectError } from './errors.ts'
import type { HttpPoolOptions } from './options/pool-options.ts'
import { resolvePoolOptions } from './options/pool-settings.ts'
import { resolveCall } from './options/resolve-call.ts'
import { type Dispatch, type ExchangeOptions, isReplayable } from './request/exchange-options.ts'
import { addMissing, dropHeaders, headerList, omittedNames } from './request/header-list.ts'
import {
  type BodyContent,
  contentTypeOf,
  discardBody,
  jsonBody,
  wireBody,
} from './request/request-body.ts'
import { requestInit } from './request/request-init.ts'
import { requestMethod } from './request/request-method.ts'
import { checkRequest, type JsonOptions, type RequestOptions } from './request/request-options.ts'
import { checkFetchUrl, requestUrl } from './request/request-url.ts'
import type { Call } from './response/following-handler.ts'
import { JsonHandler } from './response/json-handler.ts'
import { nextLink } from './response/next-link.ts'
import { type HttpResponse, ResponseHandler } from './response/response-handler.ts'
import { PoolCore } from './shared/pool-core.ts'
import { type OriginStats, type PoolStats, poolStats } from './stats.ts'
import { totalDeadline } from './time/total-deadline.ts'

/** Taken at the start, as services put a pool's `fetch` in its place. */
const platformFetch = globalThis.fetch

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
    this.#core = new PoolCore(settings, settings.clock, settings.random)
    const dispatcher = new PoolDispatcher(this.#core)
    this.dispatcher = dispatcher
    this.#dispatch = (request, handler) => void dispatcher.dispatch(request, handler)
  }

  /**
   * Sends a request; resolves when the head of the response has arrived, in the shape of undici's. Read its
   * body, `dump()` or destroy it: a body that is not read keeps its connection.
   *
   * A status is no error. When retries are used up, the last response is the result.
   *
   * @throws InvalidRequestError before anything is sent; HttpTimeoutError, PoolQueueFullError, RedirectError,
   * ResponseTooLargeError, PoolClosedError; the connection's error
   */
  request(url: string | URL, options: RequestOptions = {}): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const call = this.#call(url, options, false)
      const { opaque, highWaterMark } = options
      new ResponseHandler(call, opaque, highWaterMark, resolve, reject).send()
    })
  }

  /**
   * Sends a request and parses its response; `undefined` if it has no content (204, 205).
   *
   * As nothing is handed out before the last byte, an attempt that breaks off in the body is retried too;
   * not so with `cache` or `coalesce`, as then others may have had a part of it.
   *
   * @throws ResponseStatusError unless the status is 2xx; ResponseParseError; all that `request` throws
   */
  json<T = unknown>(url: string | URL, options: JsonOptions = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      new JsonHandler<T>(this.#call(url, options, true), resolve, reject).send()
    })
  }

  /**
   * The responses of a list in pages: that of `url`, then of each `rel="next"` of its `Link` (RFC 8288), until there is none, a
   * status is not 2xx, or a page links to one that was had. A body that was not read by the next turn is dumped.
   *
   * Every page is a call of its own with its own `totalTimeout`. Links to another origin go without the credentials among
   * `headers`; one from https to http is not followed.
   *
   * @throws RedirectError with the reason `downgrade`; all that `request` throws
   */
  async *pages(
    url: string | URL,
    options: RequestOptions = {},
  ): AsyncGenerator<HttpResponse, void, undefined> {
    checkRequest(options)
    const seen = new Set<string>()
    let target: URL | undefined = requestUrl(url, options.query)
    let { query: _first, ...rest } = options
    while (target !== undefined && !seen.has(target.href)) {
      seen.add(target.href)
      const response: HttpResponse = await this.request(target, rest)
      yield response
      const { statusCode, headers, body } = response
      if (!body.bodyUsed) await body.dump()
      const next: URL | undefined =
        statusCode < 300 ? nextLink(headers.link, response.url) : undefined
      if (next !== undefined && next.origin !== target.origin) {
        if (target.protocol === 'https:' && next.protocol === 'http:') {
          throw new RedirectError('downgrade', `${target.origin} links to http`, target.origin)
        }
        rest = { ...rest, headers: dropHeaders(rest.headers, this.#core.settings.credentials) }
      }
      target = next
    }
  }

  /**
   * The platform's `fetch` over this pool: it takes and gives the platform's own Request, Response, Headers, FormData. Redirects
   * follow the Fetch standard's own rules. `totalTimeout` counts from the call to the last byte, over all redirects;
   * `maxResponseSize` bounds the decompressed body.
   *
   * @throws TypeError whose `cause` is what `request` would have thrown
   */
  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const { clock, settings } = this.#core
    const { totalTimeout, maxResponseSize } = settings.dispatch
    const credentials = settings.cache?.credentials ?? []
    const isPlain = totalTimeout === 0 && maxResponseSize === Infinity && credentials.length === 0
    const dispatcher = isPlain
      ? this.dispatcher
      : new CallDispatcher(
          this.dispatcher,
          {
            total: totalDeadline(totalTimeout, clock),
            decompress: maxResponseSize !== Infinity,
          },
          credentials,
        )
    const options = { ...requestInit(init), dispatcher } as RequestInit
    // undici's own classes, which the platform's fetch does not know.
    const isUndici =
      (input as unknown) instanceof UndiciRequest || init?.body instanceof UndiciFormData
    try {
      checkFetchUrl(input)
      return isUndici
        ? ((await undiciFetch(input as never, options as never)) as unknown as Response)
        : await platformFetch(input, options)
    } catch (error) {
      throw asTypeError(error)
    }
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

  #call(url: string | URL, options: RequestOptions, acceptsJson: boolean): Call {
    let content: BodyContent | undefined
    try {
      checkRequest(options, acceptsJson)
      const { settings, clock } = this.#core
      const { json, signal, onProgress } = options
      const target = requestUrl(url, options.query)
      const given = json === undefined ? (options.body ?? undefined) : jsonBody(json)
      content = typeof given === 'function' ? given() : given
      const policy = resolveCall(settings.call, options)
      const exchangeOptions: ExchangeOptions = {
        origin: target.origin,
        path: target.search === '' ? target.pathname : target.pathname + target.search,
        method: requestMethod(options.method, content !== undefined),
        headers: requestHeaders(options, content, acceptsJson),
        omitted: settings.hasHeaders ? omittedNames(options.headers) : undefined,
        body: content === undefined ? null : wireBody(content),
        makeBody: typeof given === 'function' ? () => wireBody(given()) : undefined,
        policy,
        total: totalDeadline(policy.totalTimeout, clock),
      }
      if (options.retry === true && !isReplayable(exchangeOptions)) {
        throw new InvalidRequestError(
          'body',
          'A stream cannot be sent twice: give a function that makes the body, or leave out `retry: true`',
        )
      }
      const { credentials } = settings
      return { dispatch: this.#dispatch, options: exchangeOptions, signal, onProgress, credentials }
    } catch (error) {
      // It may hold a file open, and will not be read.
      discardBody(content ?? options?.body)
      throw error
    }
  }
}

const ORIGIN_KINDS: StatsKinds<OriginStats> = {
  ...gauges('open', 'idle', 'pending', 'queued'),
  ...counters('requests', 'attempts', 'retries', 'resends', 'hedges', 'hedgesWon', 'failures'),
  ...counters('created', 'reused'),
}

describeStats<PoolStats>(HttpPool.prototype, {
  ...ORIGIN_KINDS,
  ...gauges('connections', 'retryBudget', 'deadlines'),
  ...counters('evicted', 'coalesced', 'cached', 'storeFailures'),
  origins: {},
})

/** What `fetch` rejects with, by the standard's class. The platform quotes the header that it refuses. */
function asTypeError(error: unknown): unknown {
  // The reason of an abort is whatever its caller gave.
  if (!isError(error)) return error
  const isHeader = / is an invalid header (?:name|value)/.test(error.message)
  const cause = isHeader
    ? new InvalidRequestError('headers', 'A header has an invalid name or value')
    : error
  return cause instanceof InvalidRequestError ? new TypeError(cause.message, { cause }) : error
}

/** The caller's headers, and those that follow from what is sent and asked for. */
function requestHeaders(
  { headers, json }: RequestOptions,
  content: BodyContent | undefined,
  acceptsJson: boolean,
): ExchangeOptions['headers'] {
  const contentType = json === undefined ? contentTypeOf(content) : 'application/json'
  if (contentType === undefined && !acceptsJson) {
    return headers as ExchangeOptions['headers']
  }
  const list = headerList(headers)
  if (acceptsJson) addMissing(list, 'accept', 'application/json')
  if (contentType !== undefined) addMissing(list, 'content-type', contentType)
  return list
}
