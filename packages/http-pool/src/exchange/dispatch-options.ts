import type { Dispatcher } from 'undici'
import type { CallPolicy } from '../options/settings.ts'
import type { TotalDeadline } from '../time/total-deadline.ts'

/** A body, or a function that makes a new one for each attempt. */
export type RequestBody =
  | NonNullable<Dispatcher.DispatchOptions['body']>
  | (() => NonNullable<Dispatcher.DispatchOptions['body']>)

/** undici's options and the pool's own, which travel with them. */
export interface ExchangeOptions extends Dispatcher.DispatchOptions {
  /** Policy of this call; without it the pool's. */
  policy?: CallPolicy | undefined
  /** The end of the call that this request is a part of; without it, one that begins now. */
  total?: TotalDeadline | undefined
  /** Makes the body of every further attempt. */
  makeBody?: (() => NonNullable<Dispatcher.DispatchOptions['body']>) | undefined
}

/** Sends a request; all that follows goes to the handler. */
export type Dispatch = (options: ExchangeOptions, handler: Dispatcher.DispatchHandler) => void

/** Whether a body can be sent a second time. Streams and iterators are spent after the first. */
export function isReplayable(options: ExchangeOptions): boolean {
  const { body, makeBody } = options
  if (body === undefined || body === null || makeBody !== undefined) return true
  return typeof body === 'string' || ArrayBuffer.isView(body) || isFormData(body)
}

function isFormData(body: object): boolean {
  return Object.prototype.toString.call(body) === '[object FormData]'
}
