import { Readable } from 'node:stream'
import { isThenable } from '@millrace/kit'
import { type Dispatcher, FormData } from 'undici'
import { InvalidRequestError } from '../errors.ts'

type Chunks = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>

/** What a request can carry. */
export type BodyContent =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | URLSearchParams
  | globalThis.FormData
  | FormData
  | Readable
  | Chunks

/** A body, or a function that makes a new one for each attempt. */
export type RequestBody = BodyContent | (() => BodyContent)

/** A body as undici takes it. */
export type WireBody = NonNullable<Dispatcher.DispatchOptions['body']>

const FORM_TYPE = 'application/x-www-form-urlencoded;charset=UTF-8'

/** The type that a body has by itself, unless the caller names another. */
export function contentTypeOf(body: BodyContent | undefined): string | undefined {
  if (body instanceof URLSearchParams) return FORM_TYPE
  return body instanceof Blob && body.type !== '' ? body.type : undefined
}

/** undici takes no `URLSearchParams`, and no `FormData` but its own. */
export function wireBody(body: BodyContent): WireBody {
  if (isThenable(body)) throw promisedBody(body)
  if (body instanceof URLSearchParams) return body.toString()
  if (!(body instanceof globalThis.FormData) || body instanceof FormData) return body as WireBody
  const form = new FormData()
  // Of Node's own classes, which undici uses too.
  for (const [name, value] of body) form.append(name, value as string)
  return form
}

/** In bytes, of a body that is there as a whole; undefined of what comes in parts. */
export function bodyLength(body: unknown): number | undefined {
  if (typeof body === 'string') return Buffer.byteLength(body)
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return body.byteLength
  return body instanceof Blob ? body.size : undefined
}

/** Closes a stream that will not be sent: it may hold a file open. */
export function discardBody(body: unknown): void {
  if (body instanceof Readable) {
    // Why it is not sent is told to the caller.
    if (!body.destroyed) body.on('error', ignoreError).destroy()
  } else if (body instanceof ReadableStream && !body.locked) {
    body.cancel().catch(ignoreError)
  }
}

function ignoreError(): void {}

/** A value as JSON. */
export function jsonBody(value: unknown): string {
  if (isThenable(value)) throw promisedBody(value)
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    // What a `toJSON` throws is its caller's.
    if (!(error instanceof TypeError)) throw error
    throw new InvalidRequestError('body', 'The value has no form in JSON', { cause: error })
  }
  if (text !== undefined) return text
  throw new InvalidRequestError('body', `JSON has no form for a value of type ${typeof value}`)
}

/** A promise would be sent as an object without properties, or refused. */
function promisedBody(promise: PromiseLike<unknown>): InvalidRequestError {
  // What it is rejected with comes too late to be told: the request has failed by then.
  promise.then(undefined, () => {})
  return new InvalidRequestError('body', 'A body cannot be a promise: wait for it before the call')
}
