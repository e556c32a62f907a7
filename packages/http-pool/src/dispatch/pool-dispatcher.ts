import { stringify } from 'node:querystring'
import { isError } from '@millrace/kit'
// As a whole: a runtime that lacks a name of it would not get as far as to say so.
import * as undici from 'undici'
import { Dispatcher } from 'undici'
import { type RequestMessage, requestChannels } from '../channels.ts'
import type { Origin } from '../connect/origin.ts'
import { InvalidRequestError, PoolClosedError, UnsupportedRuntimeError } from '../errors.ts'
import { Exchange } from '../exchange/exchange.ts'
import type { Handler } from '../handler.ts'
import { resolveCall } from '../options/resolve-call.ts'
import type { ExchangeOptions } from '../request/exchange-options.ts'
import { addMissing, fitHeaders, headerList } from '../request/header-list.ts'
import { guardedBody } from '../request/request-body.ts'
import type { PoolCore } from '../shared/pool-core.ts'
import { type DispatchChain, dispatchChain } from './dispatch-chain.ts'
import { PatientFailure } from './patient-failure.ts'

/** The face of a pool towards undici: everything that takes a dispatcher takes this one. */
export class PoolDispatcher extends Dispatcher {
  readonly #core: PoolCore
  readonly #chain: DispatchChain
  #legacy: Dispatcher | undefined
  #closing: Promise<void> | undefined

  constructor(core: PoolCore) {
    super()
    if (undici.Dispatcher1Wrapper === undefined) throw new UnsupportedRuntimeError()
    this.#core = core
    this.#chain = dispatchChain(core, (options, handler) => exchange(core, options, handler))
  }

  get closed(): boolean {
    return this.#core.closed
  }

  get destroyed(): boolean {
    return this.#core.destroyed
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Handler): boolean {
    if (handler.onRequestStart === undefined) {
      // The `fetch` of Node 22 and 24 still has the handlers of undici 7.
      this.#legacy ??= new undici.Dispatcher1Wrapper(this)
      return this.#legacy.dispatch(options, handler)
    }
    const core = this.#core
    try {
      const { goesOn } = options as ExchangeOptions
      if (core.destroyed || (core.closed && goesOn !== true)) {
        throw new PoolClosedError(originKey(options.origin))
      }
      const own = ownOptions(core, options)
      // Here, outside the cache: credentials among them decide what it may keep.
      const { dispatch, plain } = this.#chain
      const send = own.decompress === true ? plain : dispatch
      const { hasHeaders, dispatch: policy } = core.settings
      // The pool's own calls bring a policy of their own.
      const isForeign = (options as ExchangeOptions).policy === undefined
      const patient =
        isForeign && policy.maxResponseSize !== Infinity ? new PatientFailure(handler) : handler
      send(hasHeaders ? withOriginHeaders(core, own) : own, patient)
      // Never "busy, wait for drain": the pool's own queue is the one that is bounded.
      return true
    } catch (error) {
      if (handler.onResponseError === undefined) throw error
      handler.onResponseError(null as never, error as Error)
      return false
    }
  }

  override close(callback?: () => void): Promise<void> {
    this.#core.closed = true
    this.#closing ??= this.#core.whenEmpty().then(() => this.#disconnect())
    return settle(this.#closing, callback)
  }

  override destroy(
    errorOrCallback?: Error | null | (() => void),
    callback?: () => void,
  ): Promise<void> {
    const core = this.#core
    const error = isError(errorOrCallback) ? errorOrCallback : undefined
    core.closed = true
    core.destroyed = true
    core.abortAll(error)
    return settle(
      this.#disconnect(),
      typeof errorOrCallback === 'function' ? errorOrCallback : callback,
    )
  }

  async #disconnect(): Promise<void> {
    const core = this.#core
    core.destroyed = true
    // What a cache still sends in the background.
    core.abortAll(undefined)
    for (const origin of core.origins.values()) origin.destroy(new PoolClosedError(origin.key))
    await core.sockets.whenFree()
    core.deadlines.clear()
  }
}

function originKey(origin: string | URL | undefined): string {
  const key = (typeof origin === 'string' ? URL.parse(origin) : origin)?.origin
  if (typeof key !== 'string' || !/^https?:/.test(key)) {
    throw new InvalidRequestError('url', 'The origin is not a valid http or https URL')
  }
  return key
}

function exchange(core: PoolCore, options: ExchangeOptions, handler: Handler): void {
  const origin =
    core.origins.get(options.origin as string) ?? core.originOf(originKey(options.origin))
  if (requestChannels.hasSubscribers) dispatchTraced(core, origin, options, handler)
  else new Exchange(core, origin, options, handler).start(undefined)
}

/** The exchange is made in the context that subscribers bind, so that all it does later happens there. */
function dispatchTraced(
  core: PoolCore,
  origin: Origin,
  options: ExchangeOptions,
  handler: Handler,
): void {
  const { method, path } = options
  const message: RequestMessage = { method, origin: origin.key, path }
  requestChannels.start.runStores(message, () => {
    new Exchange(core, origin, options, handler).start(message)
  })
}

/** With the headers of the options, unless the request has them itself. */
function withOriginHeaders({ settings }: PoolCore, options: ExchangeOptions): ExchangeOptions {
  const { headers } = settings.origins.get(originKey(options.origin)) ?? settings.origin
  if (headers === undefined) return options
  const list = headerList(options.headers)
  for (const name in headers) {
    if (options.omitted?.includes(name) !== true) addMissing(list, name, headers[name]!)
  }
  return { ...options, headers: list }
}

/** Layers further in take these for texts, and a cache and a coalescer make keys of them. */
function checkTarget({ origin, path, method }: ExchangeOptions): void {
  if (typeof (typeof origin === 'string' ? origin : origin?.origin) !== 'string') {
    throw new InvalidRequestError('url', 'The origin must be a string or a URL')
  }
  if (typeof path !== 'string') throw new InvalidRequestError('url', 'The path must be a string')
  if (typeof method !== 'string') {
    throw new InvalidRequestError('method', 'The method must be a string')
  }
}

/** Timeouts among undici's own options, where 0 is no limit, become the pool's, which keeps them to the millisecond. */
function ownOptions(core: PoolCore, given: ExchangeOptions): ExchangeOptions {
  checkTarget(given)
  const headers = fitHeaders(given.headers)
  const body = guardedBody(given.body)
  const isFit = headers === given.headers && body === given.body
  let options = isFit ? given : ({ ...given, headers, body } as ExchangeOptions)
  // Here, outside the cache and the coalescer: a query is a part of what is asked for.
  if (options.query !== undefined) options = withQuery(options)
  const { headersTimeout, bodyTimeout } = options
  if (typeof headersTimeout !== 'number' && typeof bodyTimeout !== 'number') return options
  const own: ExchangeOptions = {
    ...options,
    headersTimeout: undefined,
    bodyTimeout: undefined,
  } as never
  own.policy = resolveCall(core.settings.dispatch, {
    ...(typeof headersTimeout === 'number' && { headersTimeout: headersTimeout || Infinity }),
    ...(typeof bodyTimeout === 'number' && { bodyTimeout: bodyTimeout || Infinity }),
  })
  return own
}

function withQuery({ query, ...options }: ExchangeOptions): ExchangeOptions {
  const { path } = options
  if (path.includes('?') || path.includes('#')) {
    throw new InvalidRequestError('url', 'The query stands in the path or in `query`, not in both')
  }
  const search = stringify(query as Record<string, string>)
  return { ...options, path: search === '' ? path : `${path}?${search}` }
}

function settle(promise: Promise<void>, callback: (() => void) | undefined): Promise<void> {
  if (callback === undefined) return promise
  promise.then(callback, callback)
  return promise
}
