import type { AsyncResource } from 'node:async_hooks'
import type { ClientHttp2Stream } from 'node:http2'
import type { Handler } from '../handler.ts'
import type { ExchangeOptions } from '../request/exchange-options.ts'

/** What a connection carries, and what waits for one until then. */
export interface Carried extends Handler {
  readonly options: ExchangeOptions
  /** The context that it goes on in after it has waited. */
  readonly scope: AsyncResource
  /** Over HTTP/2, what carries it; its latest, if there were several. */
  readonly stream: ClientHttp2Stream | null
  /** At least one byte of a response has arrived. */
  readonly hasResponse: boolean
  /** Place in a {@link WaitQueue}, which owns these three. */
  isQueued: boolean
  previous: Carried | null
  next: Carried | null
  /** Where its connection keeps it while it has a stream there; -1 if it does not. */
  streamIndex: number
  /** There was no connection for it yet. */
  onQueued(): void
  /** This is its connection: it dispatches itself there. */
  send(connection: Carrier): void
  /** Nothing will carry it. */
  fail(error: Error): void
}

/** The connection, as what it carries sees it. */
export interface Carrier {
  readonly isH2: boolean
  /** How long its last connect took, in ms. */
  readonly connectDuration: number
  /** Requests it has carried on its present socket. */
  served: number
  /** Heads and parts of bodies it has brought, for whatever request: a sign of life. */
  readonly heard: number
  dispatch(carried: Carried): void
  /** What it carries has got its HTTP/2 stream. */
  onStream(carried: Carried, stream: ClientHttp2Stream): void
  /** What it carries has got a part of its response. */
  onSign(): void
  /** What it carried has ended. */
  release(carried: Carried, failed: boolean): void
  /** It gets no more requests, and closes after those it has. */
  drain(): void
  /** Takes it out of use at once. */
  retire(): void
  /** Hands its socket, which now speaks another protocol, to the caller. */
  detach(): void
}
