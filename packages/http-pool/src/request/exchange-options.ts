import { type Dispatcher, FormData } from 'undici'
import type { Handler } from '../handler.ts'
import type { TotalDeadline } from '../time/total-deadline.ts'
import type { CallPolicy } from './call-policy.ts'
import type { WireBody } from './request-body.ts'

/** undici's options and the pool's own, which travel with them. */
export interface ExchangeOptions extends Dispatcher.DispatchOptions {
  /** Policy of this call; without it the pool's. */
  policy?: CallPolicy | undefined
  /** The end of the call that this request is a part of; without it, one that begins now. */
  total?: TotalDeadline | undefined
  /** The body comes decompressed, whatever the pool's options say. */
  decompress?: boolean | undefined
  /** Told when a cache passes the request on instead of answering it. */
  call?: { isForwarded: boolean } | undefined
  /** Names in lower case of headers that the pool's hook has added already: each attempt asks it anew. */
  injected?: readonly string[] | undefined
  /** Names in lower case of headers that are the hook's affair, whether it has added them or the caller has: they say for whom it is. */
  identifying?: readonly string[] | undefined
  /** Where others may get the answer: what the hook added when it was looked up, and whether an attempt went out with something else. */
  identified?: { readonly as: string; hasChanged: boolean } | undefined
  /** Names in lower case of headers that are not to be sent, though the pool has them for all. */
  omitted?: readonly string[] | undefined
  /** It continues a call that is under way, as a redirect does: a pool that closes waits for it. */
  goesOn?: boolean | undefined
  /** Makes the body of every further attempt. */
  makeBody?: (() => WireBody) | undefined
}

/** Sends a request; all that follows goes to the handler. */
export type Dispatch = (options: ExchangeOptions, handler: Handler) => void

/** Whether a body can be sent a second time. Streams and iterators are spent after the first. */
export function isReplayable(options: ExchangeOptions): boolean {
  if (options.makeBody !== undefined) return true
  const body: unknown = options.body ?? ''
  return (
    typeof body === 'string' ||
    ArrayBuffer.isView(body) ||
    body instanceof ArrayBuffer ||
    body instanceof Blob ||
    body instanceof FormData
  )
}
