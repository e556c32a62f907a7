import type { Clock } from '@millrace/kit'
// As a whole: Bun's lacks a name of it.
import * as undici from 'undici'
import { type Dispatcher, interceptors } from 'undici'
import type { CallPolicy } from '../request/call-policy.ts'
import type { Dispatch, ExchangeOptions } from '../request/exchange-options.ts'
import { headerList, headerValue } from '../request/header-list.ts'
import type { CacheSettings } from './cache-settings.ts'
import { Freshening } from './freshening.ts'
import { IDENTITY, Identity } from './identity.ts'
import { lookup } from './lookup.ts'
import { mayKeepPosted, POSTED } from './posted-response.ts'
import { Renewals } from './renewals.ts'
import { StoreAdapter, type UndiciStore } from './response-store.ts'
import { RevalidatedStore } from './revalidated-store.ts'
import { Selection } from './selection.ts'

/** A cache, and its store if the user gave one. */
interface ResponseCache {
  readonly dispatch: Dispatch
  readonly store: StoreAdapter | undefined
}

/** What a cached request takes along through undici's cache. */
interface CachedOptions extends ExchangeOptions {
  selection?: Selection
  /** The POST that is sent in the place of this GET, which stands for it in the cache. */
  posted?: ExchangeOptions
}

/**
 * undici's cache interceptor between two translations. Towards the caller: what is asked for, and of what was found the part that
 * answers it. Towards the origin: what a response means, and a 304 as the response that it stands for.
 *
 * @param policy of the pool, which holds for what no call waits for
 */
export function responseCache(
  settings: CacheSettings,
  clock: Clock,
  policy: CallPolicy,
  next: Dispatch,
): ResponseCache {
  const { store: given, maxEntrySize, type, cacheByDefault, storeTimeout } = settings
  const identity = new Identity(settings)
  // Others may have a store that is given, and then it is not for one user whose sessions come and go.
  const isOneUsers = type === 'private' && given === undefined
  const adapter = given && new StoreAdapter(given, maxEntrySize, storeTimeout, clock)
  const store: UndiciStore = new RevalidatedStore(
    adapter ??
      // undici knows no Infinity.
      new undici.cacheStores.MemoryCacheStore({
        maxEntrySize: Math.min(maxEntrySize, Number.MAX_SAFE_INTEGER),
      }),
  )
  const cache = interceptors.cache({
    store,
    type,
    // undici takes milliseconds, which it does not say.
    ...(cacheByDefault === undefined ? undefined : { cacheByDefault: 1_000 * cacheByDefault }),
  })
  const renewals = new Renewals(policy, clock)
  const forward: Dispatcher.Dispatch = (options: CachedOptions, handler) => {
    const { selection, posted, ...rest } = options
    if (rest.call !== undefined) rest.call.isForwarded = true
    const asked = options.headers as Record<string, string>
    const told = [IDENTITY, ...(isOneUsers ? [] : sessions(asked))]
    const send: Dispatch = (sent, taker) =>
      next(sent, new Freshening(store, options, settings, told, taker))
    try {
      if (posted !== undefined) {
        send(posted, handler)
      } else if (selection !== undefined) {
        const sent = { ...rest, headers: selection.forward(asked) }
        if (selection.isAnswered) renewals.dispatch(sent, handler, send)
        else send(sent, handler)
      } else if (rest.method === 'POST' && !rest.upgrade && mayKeepPosted(asked)) {
        const list = headerList(rest.headers)
        const whose = identity.of(list, rest.identifying)
        const headers = [...lookup(list).headers, POSTED, '', IDENTITY, whose]
        const get: CachedOptions = { ...rest, method: 'GET', headers, posted: rest }
        cached(get, new Selection(list, undefined, handler))
      } else {
        // The cache keeps nothing else, and does not touch its requests.
        next(rest, handler)
      }
    } catch (error) {
      // In the background nothing would catch it.
      handler.onResponseError?.(null as never, error as Error)
    }
    return true
  }
  const cached = cache(forward) as unknown as Dispatch
  const dispatch: Dispatch = (options, handler) => {
    const { method } = options
    const list = method === 'GET' || method === 'HEAD' ? headerList(options.headers) : undefined
    if (list !== undefined && !isKeyedByUrl(options, list)) {
      if (options.call !== undefined) options.call.isForwarded = true
      next(options, handler)
    } else if (list === undefined || method === 'HEAD' || options.upgrade) {
      cached(options, handler)
    } else {
      const { headers, conditions } = lookup(list)
      headers.push(IDENTITY, identity.of(list, options.identifying))
      const selection = new Selection(list, conditions, handler)
      cached({ ...options, headers, selection } as CachedOptions, selection)
    }
  }
  return { dispatch, store: adapter }
}

/** Headers that name a session, of whose meaning for others RFC 9111 says nothing. */
function sessions(headers: Readonly<Record<string, string>>): string[] {
  return ['cookie', 'proxy-authorization'].filter(name => headers[name] !== undefined)
}

/**
 * Whether the URL says what is asked for, which is all that the cache's key has besides what responses vary by. Not so with a host
 * of the caller's own, and where a GET or HEAD has content (RFC 9110 section 9.3.1 knows no meaning of it, yet servers do).
 */
function isKeyedByUrl({ body, origin }: ExchangeOptions, list: readonly string[]): boolean {
  if ((body ?? null) !== null) return false
  const host = headerValue(list, 'host')
  return host === undefined || URL.parse(String(origin))?.host === host
}
