import { responseCache } from '../cache/response-cache.ts'
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
  const { coalesce, cache, decompress, injectHeaders, dispatch: policy } = core.settings
  let dispatch = exchange
  if (coalesce) {
    const { clock, deadlines } = core
    const { bodyLeakTimeout } = core.settings
    const coalescer = new Coalescer(dispatch, { clock, deadlines, bodyLeakTimeout })
    core.coalescer = coalescer
    dispatch = coalescer.dispatch.bind(coalescer)
  }
  if (cache !== undefined) {
    const responses = responseCache(cache, core.clock, policy, dispatch)
    core.store = responses.store
    dispatch = responses.dispatch
  }
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
  // Byte ranges are those of the encoded body; as in fetch, a part is asked for in plain bytes.
  const encoding = headerValue(list, 'range') === undefined ? ACCEPT_ENCODING : 'identity'
  addMissing(list, 'accept-encoding', encoding)
  return list
}
