import { cacheStores, type Dispatcher, interceptors } from 'undici'
import type { CacheSettings } from '../cache/cache-settings.ts'
import { Freshening } from '../cache/freshening.ts'
import { StoreAdapter } from '../cache/response-store.ts'
import { Coalescer } from '../coalesce/coalescer.ts'
import type { Dispatch, ExchangeOptions } from '../request/exchange-options.ts'
import { addMissing, headerList } from '../request/header-list.ts'
import { ACCEPT_ENCODING, Decompression } from '../response/decompression.ts'
import type { PoolCore } from '../shared/pool-core.ts'
import { totalDeadline } from '../time/total-deadline.ts'
import { BoundedCall } from './bounded-call.ts'

/**
 * What stands before an exchange, from the outside in: the bounds of the call, decompression, cache,
 * coalescing. A feature that is off has no part in it.
 */
export function dispatchChain(core: PoolCore, exchange: Dispatch): Dispatch {
  const { coalesce, cache, decompress } = core.settings
  let dispatch = exchange
  if (coalesce) {
    const coalescer = new Coalescer(dispatch)
    core.coalescer = coalescer
    dispatch = coalescer.dispatch.bind(coalescer)
  }
  if (cache !== undefined) dispatch = withCache(core, cache, dispatch)
  if (decompress) dispatch = withDecompression(core, dispatch)
  // Without these an exchange begins at once, and keeps the bounds itself.
  if (coalesce || cache !== undefined) dispatch = withBounds(core, dispatch)
  return dispatch
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
      // In the background there is nobody to catch it.
      handler.onResponseError?.(null as never, error as Error)
    }
    return true
  }
  return cache(dispatch) as unknown as Dispatch
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
