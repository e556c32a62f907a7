import { cacheStores, type Dispatcher, interceptors } from 'undici'
import type { CacheSettings } from '../cache/cache-settings.ts'
import { Freshening } from '../cache/freshening.ts'
import { StoreAdapter } from '../cache/response-store.ts'
import { Coalescer } from '../coalesce/coalescer.ts'
import type { Dispatch, ExchangeOptions } from '../request/exchange-options.ts'
import { addMissing, headerList, headerValue } from '../request/header-list.ts'
import type { InjectHeaders } from '../request/inject-headers.ts'
import { withIdentifyingHeaders } from '../request/injected-headers.ts'
import { ACCEPT_ENCODING, Decompression } from '../response/decompression.ts'
import type { PoolCore } from '../shared/pool-core.ts'
import { totalDeadline } from '../time/total-deadline.ts'
import { BoundedCall } from './bounded-call.ts'

/** The two ways to an exchange, through the same cache and the same coalescer. */
export interface DispatchChain {
  readonly dispatch: Dispatch
  /** Whatever the pool's options say, with decompressed bodies. */
  readonly plain: Dispatch
}

/**
 * What stands before an exchange, from the outside in: the bounds of the call, decompression, cache,
 * coalescing. A feature that is off has no part in it.
 */
export function dispatchChain(core: PoolCore, exchange: Dispatch): DispatchChain {
  const { coalesce, cache, decompress, injectHeaders } = core.settings
  let dispatch = exchange
  if (coalesce) {
    const coalescer = new Coalescer(dispatch)
    core.coalescer = coalescer
    dispatch = coalescer.dispatch.bind(coalescer)
  }
  if (cache !== undefined) dispatch = withCache(core, cache, dispatch)
  // Whose request it is has to be known before anything is looked up or shared.
  if (injectHeaders !== undefined && (coalesce || cache !== undefined)) {
    dispatch = withIdentity(injectHeaders, dispatch)
  }
  // Without these an exchange begins at once, and keeps the bounds itself.
  const isBounded = coalesce || cache !== undefined
  const bounded = (next: Dispatch): Dispatch => (isBounded ? withBounds(core, next) : next)
  const plain = bounded(withDecompression(core, dispatch))
  return { dispatch: decompress ? plain : bounded(dispatch), plain }
}

function withIdentity(inject: InjectHeaders, next: Dispatch): Dispatch {
  return (options, handler) => {
    next(withIdentifyingHeaders(options, String(options.origin), inject), handler)
  }
}

function withCache(
  core: PoolCore,
  { store: given, maxEntrySize, type, cacheByDefault }: CacheSettings,
  next: Dispatch,
): Dispatch {
  if (given !== undefined) core.store = new StoreAdapter(given, maxEntrySize)
  const store = core.store ?? new cacheStores.MemoryCacheStore({ maxEntrySize })
  const cache = interceptors.cache({
    store,
    type,
    ...(cacheByDefault === undefined ? undefined : { cacheByDefault }),
  })
  const dispatch: Dispatcher.Dispatch = (options: ExchangeOptions, handler) => {
    if (options.call !== undefined) options.call.isForwarded = true
    // The cache keeps nothing else, and does not touch its requests.
    const isCached = options.method === 'GET' && !options.upgrade
    try {
      next(options, isCached ? new Freshening(store, options, handler) : handler)
    } catch (error) {
      // In the background nothing would catch it.
      handler.onResponseError?.(null as never, error as Error)
    }
    return true
  }
  const cached = cache(dispatch) as unknown as Dispatch
  return (options, handler) => {
    if (isKeyedByUrl(options)) {
      cached(options, handler)
      return
    }
    if (options.call !== undefined) options.call.isForwarded = true
    next(options, handler)
  }
}

function withBounds(core: PoolCore, next: Dispatch): Dispatch {
  return (options, handler) => {
    const policy = options.policy ?? core.settings.dispatch
    const total = options.total ?? totalDeadline(policy.totalTimeout, core.clock)
    const call = new BoundedCall(core, String(options.origin), total, policy, handler)
    call.start()
    // Its caller may have aborted at once.
    if (call.settled) return
    try {
      next({ ...options, total, call }, call)
    } catch (error) {
      call.onResponseError(null, error as Error)
    }
  }
}

function withDecompression(core: PoolCore, next: Dispatch): Dispatch {
  return (options, handler) => {
    if (options.method === 'HEAD' || options.upgrade) {
      next(options, handler)
      return
    }
    const { maxResponseSize } = options.policy ?? core.settings.dispatch
    const headers = withAcceptEncoding(options.headers)
    next(
      { ...options, headers },
      new Decompression(handler, maxResponseSize, String(options.origin)),
    )
  }
}

function withAcceptEncoding(headers: ExchangeOptions['headers']): string[] {
  const list = headerList(headers)
  addMissing(list, 'accept-encoding', ACCEPT_ENCODING)
  return list
}

/**
 * Whether the URL says what is asked for, which is all that the cache's key has besides what responses vary by. Not so with a host
 * of the caller's own, and where a GET or HEAD has content (RFC 9110 section 9.3.1 knows no meaning of it, yet servers do).
 */
function isKeyedByUrl({ method, headers, body, origin }: ExchangeOptions): boolean {
  if (method !== 'GET' && method !== 'HEAD') return true
  if ((body ?? null) !== null) return false
  const host = headerValue(headerList(headers), 'host')
  return host === undefined || URL.parse(String(origin))?.host === host
}
