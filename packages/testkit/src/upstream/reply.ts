import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'

/** A request as the {@link UpstreamServer} got it, with its whole body. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query as sent. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Which connection carried it, counted from 1. */
  readonly connection: number
  /** Number of this request on its route, from 0. */
  readonly index: number
}

/** What the server answers with. */
export interface Reply {
  /** Default 200. */
  readonly status?: number
  readonly headers?: OutgoingHttpHeaders
  /** An object is sent as JSON. Default the status as text. */
  readonly body?: string | Buffer | object
  /** Entity tag, without quotes: sent as ETag, and a matching If-None-Match is answered with 304 and no body. */
  readonly etag?: string
  /** Cache-Control header. */
  readonly cacheControl?: string
  /** Time before the status line, in ms; default 0. */
  readonly latency?: number
  /** Sends the body in pieces of this many bytes, default in one. */
  readonly chunkSize?: number
  /** Time before each piece of the body, in ms; default 0. */
  readonly chunkDelay?: number
  /** Awaited before each piece of the body, of whose offset it is told: what lets a test say when the next one goes out. */
  readonly beforePiece?: (offset: number) => unknown
  /** Resets the connection after this many bytes of the body; 0 resets it after the headers. */
  readonly resetAfter?: number
  /** Resets the connection (`reset`), or never answers (`hang`), instead of sending anything. */
  readonly fault?: 'reset' | 'hang'
}

/** A reply, its status alone, or a function that makes it from the request. */
export type Replier =
  | Reply
  | number
  | ((request: UpstreamRequest) => Reply | number | Promise<Reply | number>)
