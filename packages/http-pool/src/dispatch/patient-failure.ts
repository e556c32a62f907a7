import { ForwardingHandler } from '../forwarding-handler.ts'
import type { Controller, ResponseHeaders } from '../handler.ts'

/**
 * Tells a handler of an error not before the turn after the head of the response.
 *
 * A connection cannot fail in the turn of a head, while a response that is larger than it may be can. undici's `fetch`, and the
 * platform's, listens from that turn on only, and the body of what has failed before would neither end nor fail.
 */
export class PatientFailure extends ForwardingHandler {
  #isFresh = false
  #failure: (() => void) | undefined

  override onResponseStart(
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
    super.onResponseStart(controller, statusCode, headers, statusMessage)
  }

  override onResponseError(controller: Controller | null, error: Error): void {
    const fail = () => super.onResponseError(controller, error)
    if (this.#isFresh) this.#failure = fail
    else fail()
  }
}
