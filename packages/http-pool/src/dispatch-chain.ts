import { cacheStores, type Dispatcher, interceptors } from 'undici'
import type { CacheSettings } from './cache/cache-settings.ts'
import { StoreAdapter } from './cache/response-store.ts'
import { Coalescer } from './coalesce/coalescer.ts'
import type { Dispatch, ExchangeOptions } from './exchange/dispatch-options.ts'
import type { PoolCore } from './pool-core.ts'
import { headerList } from './redirect/header-list.ts'
import { acceptEncoding, Decompression } from './response/decompression.ts'

/**
 * What stands before an exchange, from the outside in: decompression, cache, coalescing. A feature that is
 * off has no part in it.
 */
export function dispatchChain(core: PoolCore, exchange: Dispatch): Dispatch {
  const { coalesce, cache, decompress } = core.settings
  let dispatch = exchange
  if (coalesce) {
    const coalescer = new Coalescer(dispatch)
    core.coalescer = coalescer
    dispatch = coalescer.dispatch.bind(coalescer)
  }
  if (cache !== undefined) dispatch = withCache(cache, dispatch)
  if (decompress) dispatch = withDecompression(core, dispatch)
  return dispatch
}

function withCache(
  { store, maxEntrySize, type, cacheByDefault }: CacheSettings,
  next: Dispatch,
): Dispatch {
  const cache = interceptors.cache({
    store:
      store === undefined
        ? new cacheStores.MemoryCacheStore({ maxEntrySize })
        : new StoreAdapter(store, maxEntrySize),
    type,
    ...(cacheByDefault === undefined ? undefined : { cacheByDefault }),
  })
  const dispatch: Dispatcher.Dispatch = (options, handler) => {
    next(options as ExchangeOptions, handler)
    return true
  }
  return cache(dispatch) as unknown as Dispatch
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
  for (let i = 0; i < list.length; i += 2) {
    if (list[i]!.toLowerCase() === 'accept-encoding') return list
  }
  list.push('accept-encoding', acceptEncoding)
  return list
}
