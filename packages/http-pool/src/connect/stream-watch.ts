import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientHttp2Stream } from 'node:http2'

/** Node publishes it in the call that opens a stream, which is also the call in which undici announces the request. */
const CREATED = 'http2.client.stream.created'

/** Something that gets an HTTP/2 stream. */
export interface StreamOwner {
  stream: ClientHttp2Stream | null
}

/**
 * Learns which HTTP/2 stream carries which attempt. undici does not say, and without the stream a response
 * that was cut off by a reset with CANCEL, as proxies do whose upstream has failed, looks complete: Node ends
 * such a stream without an error.
 *
 * It listens while connections speak HTTP/2, and only then.
 */
export class StreamWatch {
  #connections = 0
  #starting: StreamOwner | null = null

  /** A connection speaks HTTP/2. */
  add(): void {
    if (this.#connections++ === 0) subscribe(CREATED, this.#onCreated)
  }

  /** It has closed. */
  remove(): void {
    if (--this.#connections === 0) unsubscribe(CREATED, this.#onCreated)
  }

  /** The stream that opens next is this one's. */
  expect(owner: StreamOwner): void {
    owner.stream = null
    this.#starting = owner
  }

  readonly #onCreated = (message: unknown): void => {
    if (this.#starting === null) return
    this.#starting.stream = (message as { stream: ClientHttp2Stream }).stream
    this.#starting = null
  }
}

/** The error that Node makes of every other code, for a stream that was reset before its end. */
export function resetError({ rstCode }: ClientHttp2Stream): Error {
  const error = new Error(`The HTTP/2 stream was reset with code ${rstCode}`)
  return Object.assign(error, { code: 'ERR_HTTP2_STREAM_ERROR', http2ErrorCode: rstCode })
}
