import type { Readable } from 'node:stream'
import { isThenable } from '@millrace/kit'
import { type Dispatcher, FormData } from 'undici'
import { InvalidRequestError } from '../errors.ts'

/** The parts of a body, as they come. */
export type BodyChunks = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>

/** What a request can carry. */
export type BodyContent =
  | string
  | ArrayBufferView
  | ArrayBuffer
  | Blob
  | URLSearchParams
  | globalThis.FormData
  | FormData
  | Readable
  | BodyChunks

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

/** A stream of Node's or of a library in its likeness, as undici knows it. */
export interface StreamBody {
  readonly errored?: Error | null
  readonly destroyed?: boolean
  pipe(target: unknown): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  destroy?(): unknown
}

export function isStreamBody(body: unknown): body is StreamBody {
  if (typeof body !== 'object' || body === null) return false
  const { pipe, on } = body as StreamBody
  return typeof pipe === 'function' && typeof on === 'function'
}

/**
 * A body that ends no process by what it throws: a stream that fails while it waits has a listener, and an iterable is asked for its
 * iterator where undici hears of it.
 */
export function guardedBody<T>(body: T): T {
  if (typeof body !== 'object' || body === null) return body
  if (isStreamBody(body)) {
    // What sends it listens too, but neither before nor after that.
    body.on('error', ignoreError)
    return body
  }
  return isParts(body) ? (new IteratedBody(body) as T) : body
}

function isParts(body: object): body is BodyChunks {
  if (ArrayBuffer.isView(body) || body instanceof IteratedBody) return false
  if (body instanceof FormData || body instanceof globalThis.FormData) return false
  return Symbol.asyncIterator in body || Symbol.iterator in body
}

/** Parts that are asked for one after the other. Over HTTP/2 undici is not prepared for an iterator that throws instead of rejecting. */
class IteratedBody implements AsyncIterable<Uint8Array | string> {
  readonly source: BodyChunks
  /** All of it has been asked for, or will not be. */
  isOver = false
  #parts: AsyncGenerator<Uint8Array | string> | undefined

  constructor(source: BodyChunks) {
    this.source = source
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array | string> {
    this.#parts ??= this.#iterate()
    return this.#parts
  }

  /** Ends the iteration, so that what the source holds is freed: by its `finally`, `return()` or `cancel()`. */
  release(): void {
    this.#parts?.return(undefined).catch(ignoreError)
  }

  async *#iterate(): AsyncGenerator<Uint8Array | string> {
    try {
      yield* this.source
    } finally {
      this.isOver = true
    }
  }
}

/** Whether it is a body of parts, some of which may still be asked for. */
export function isUnsent(body: unknown): boolean {
  return body instanceof IteratedBody && !body.isOver
}

/** Ends the upload of a body of parts. */
export function releaseBody(body: unknown): void {
  if (body instanceof IteratedBody) body.release()
}

/** Closes a stream that will not be sent: it may hold a file open. */
export function discardBody(body: unknown): void {
  if (isStreamBody(body)) {
    // Why it is not sent is told to the caller.
    if (body.destroyed !== true) {
      body.on('error', ignoreError)
      body.destroy?.()
    }
  } else if (body instanceof IteratedBody) {
    body.release()
    discardBody(body.source)
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
