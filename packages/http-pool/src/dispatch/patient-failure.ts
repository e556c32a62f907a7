import type { Duplex } from 'node:stream'
import type { Controller, Handler, ResponseHeaders } from '../handler.ts'

/**
 * Tells a handler of an error not before the turn after the head of the response.
 *
 * A connection cannot fail in the turn of a head, while a response that is larger than it may be can. undici's `fetch`, and the
 * platform's, listens from that turn on only, and the body of what has failed before would neither end nor fail.
 */
export class PatientFailure implements Handler {
  readonly #handler: Handler
  #isFresh = false
  #failure: (() => void) | undefined

  constructor(handler: Handler) {
    this.#handler = handler
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#handler.onRequestStart?.(controller, context as never)
  }

  onRequestUpgrade(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    socket: Duplex,
  ): void {
    this.#handler.onRequestUpgrade?.(controller, statusCode, headers, socket)
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.()
  }

  onResponseStart(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage?: string,
  ): void {
    if (statusCode >= 200) {
      this.#isFresh = true
      setImmediate(() => {
        this.#isFresh = false
        this.#failure?.()
      })
    }
    this.#handler.onResponseStart?.(controller, statusCode, headers, statusMessage)
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#handler.onResponseData?.(controller, chunk)
  }

  onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    this.#handler.onResponseEnd?.(controller, trailers)
  }

  onResponseError(controller: Controller | null, error: Error): void {
    const fail = () => this.#handler.onResponseError?.(controller as Controller, error)
    if (this.#isFresh) this.#failure = fail
    else fail()
  }

  onBodySent(chunk: Buffer): void {
    this.#handler.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.()
  }
}
