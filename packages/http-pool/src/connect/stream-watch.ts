import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientHttp2Stream } from 'node:http2'

/** Node publishes it in the call that opens a stream, which is also the call in which undici announces the request. */
const CREATED = 'http2.client.stream.created'

/** Something that gets an HTTP/2 stream. */
export interface StreamOwner {
  readonly options: { readonly path: string }
  onStream(stream: ClientHttp2Stream): void
}

interface CreatedMessage {
  readonly stream: ClientHttp2Stream
  readonly headers: Readonly<Record<string, unknown>>
}

/**
 * Learns which HTTP/2 stream carries which attempt. undici does not say, and without the stream
 * - a response that was cut off by a reset with CANCEL, as proxies do whose upstream has failed, looks complete: Node ends such a
 *   stream without an error;
 * - an error that a session hands to a stream which undici has let go of ends the process: nothing listens;
 * - a request cannot leave a session that is going away.
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
    this.#starting = owner
  }

  readonly #onCreated = (message: unknown): void => {
    const owner = this.#starting
    if (owner === null) return
    const { stream, headers } = message as CreatedMessage
    // If the session refused it, the next stream may be that of another client in the process.
    if (!String(headers[':path']).startsWith(owner.options.path)) return
    this.#starting = null
    stream.on('error', ignoreError)
    owner.onStream(stream)
  }
}

/** undici listens too, for as long as the request is under way, and tells of the errors that count. */
function ignoreError(): void {}
