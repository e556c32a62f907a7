import { channel } from 'node:diagnostics_channel'
import type { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type {
  IncomingHttpHeaders as Http2Headers,
  Http2ServerRequest,
  Http2Session,
  ServerHttp2Stream,
} from 'node:http2'

/** What is known of a request before it is handled: of node:http the request itself, of node:http2 what its headers say. */
export interface RequestHead {
  readonly method?: string | undefined
  /** The target as it was sent. */
  readonly url?: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly httpVersion: string
}

/** A request that a server of node:http or node:http2 has received. */
export interface ServedRequest {
  readonly head: RequestHead
  readonly scheme: 'http' | 'https'
  /** As OpenTelemetry's conventions write it: `1.1`, `2`. */
  readonly protocolVersion: string
  /** What emits the events of its body. */
  readonly body: EventEmitter
  /** Calls `listener` once, after the last byte or the loss of the connection or stream; a framework has chosen the route by then. */
  onClose(listener: (answer: ServedAnswer) => void): void
}

export interface ServedAnswer {
  /** Undefined where none was sent. */
  readonly status: number | undefined
  /** Whether it ended before its last byte. */
  readonly aborted: boolean
  /** What the framework has handled, which knows the route; of HTTP/2 without Node's compatibility API the stream. */
  readonly handled: IncomingMessage | Http2ServerRequest | ServerHttp2Stream
}

export type RequestListener = (request: ServedRequest) => void

const http1 = channel('http.server.request.start')
const http2 = channel('http2.server.stream.start')

/**
 * Calls `listener` for each request of a server of node:http or node:http2, in the synchronous run that goes on to the handler: an
 * asynchronous context that it enters is the handler's, and no other request's.
 *
 * @returns what ends it
 */
export function watchServedRequests(listener: RequestListener): () => void {
  const onRequest = (message: unknown): void => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
    listener(http1Request(request, response))
  }
  http1.subscribe(onRequest)
  if (http2Listeners.size === 0) http2.subscribe(onHttp2Stream)
  http2Listeners.add(listener)
  return () => {
    http1.unsubscribe(onRequest)
    http2Listeners.delete(listener)
    if (http2Listeners.size === 0) http2.unsubscribe(onHttp2Stream)
  }
}

function http1Request(request: IncomingMessage, response: ServerResponse): ServedRequest {
  return {
    head: request,
    scheme: 'encrypted' in request.socket ? 'https' : 'http',
    protocolVersion: request.httpVersion,
    body: request,
    onClose(listener) {
      response.once('close', () => {
        const status = response.headersSent ? response.statusCode : undefined
        listener({ status, aborted: !response.writableFinished, handled: request })
      })
    },
  }
}

const http2Listeners = new Set<RequestListener>()
const sessions = new WeakSet<Http2Session>()

/**
 * The channel publishes while frames are read, of other streams too, and the handler runs in a tick of its own. That begins with the
 * session's event, whose listeners are called before the server's own.
 */
function onHttp2Stream(message: unknown): void {
  const { session } = (message as { stream: ServerHttp2Stream }).stream
  if (session === undefined || sessions.has(session)) return
  sessions.add(session)
  ;(session as Http2Session).prependListener('stream', onSessionStream as () => void)
}

function onSessionStream(stream: ServerHttp2Stream, headers: Http2Headers): void {
  for (const listener of http2Listeners) listener(http2Request(stream, headers))
}

function http2Request(stream: ServerHttp2Stream, headers: Http2Headers): ServedRequest {
  return {
    head: {
      method: headers[':method'],
      url: headers[':path'] ?? headers[':authority'],
      headers,
      httpVersion: '2.0',
    },
    scheme: stream.session?.encrypted ? 'https' : 'http',
    protocolVersion: '2',
    body: stream,
    onClose(listener) {
      // It comes before the compatible request forgets its stream.
      stream.once('close', () => {
        const { aborted, writableFinished, rstCode, sentHeaders } = stream
        const status = sentHeaders?.[':status']
        listener({
          status: status === undefined ? undefined : Number(status),
          // A file's stream is finished as soon as the file was opened, and one that was reset has no event for it.
          aborted: aborted || !writableFinished || rstCode !== 0,
          handled: compatibleRequest(stream) ?? stream,
        })
      })
    },
  }
}

/** Node's compatibility API keeps its request at the stream, under a symbol of its own. */
function compatibleRequest(stream: ServerHttp2Stream): Http2ServerRequest | undefined {
  const own = stream as unknown as Record<symbol, Partial<Http2ServerRequest> | undefined>
  for (const key of Object.getOwnPropertySymbols(stream)) {
    if (key.description !== 'request') continue
    const request = own[key]
    if (request?.stream === stream) return request as Http2ServerRequest
  }
  return undefined
}
