import type { Dispatcher } from 'undici'
import { ResponseBody } from './response-body.ts'

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2]

/** A response whose head has arrived. */
export interface HttpResponse<Opaque = unknown> {
  statusCode: number
  statusText: string
  /** By name in lower case; a repeated header is an array. */
  headers: Headers
  body: ResponseBody
  /** Filled in when the body has ended. */
  trailers: Headers
  /** What the request gave. */
  opaque: Opaque
}

/** Turns the events of a request into a promise of its response, and a body. */
export class ResponseHandler implements Dispatcher.DispatchHandler {
  readonly #resolve: (response: HttpResponse) => void
  readonly #reject: (error: unknown) => void
  readonly #signal: AbortSignal | undefined
  readonly #opaque: unknown
  readonly #highWaterMark: number | undefined
  #controller: Dispatcher.DispatchController | null = null
  #response: HttpResponse | null = null

  constructor(
    signal: AbortSignal | undefined,
    opaque: unknown,
    highWaterMark: number | undefined,
    resolve: (response: HttpResponse) => void,
    reject: (error: unknown) => void,
  ) {
    this.#signal = signal
    this.#opaque = opaque
    this.#highWaterMark = highWaterMark
    this.#resolve = resolve
    this.#reject = reject
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const signal = this.#signal
    if (signal === undefined) return
    this.#controller = controller
    if (signal.aborted) controller.abort(signal.reason)
    else signal.addEventListener('abort', this)
  }

  /** The signal's listener: an object, so that no closure is made per request. */
  handleEvent(): void {
    this.#controller!.abort(this.#signal!.reason)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Headers,
    statusMessage?: string,
  ): void {
    if (statusCode < 200) return
    const body = new ResponseBody(
      controller,
      headers['content-type'] as string | undefined,
      this.#highWaterMark,
    )
    this.#response = {
      statusCode,
      statusText: statusMessage ?? '',
      headers,
      body,
      trailers: {},
      opaque: this.#opaque,
    }
    this.#resolve(this.#response)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#response!.body.onData(chunk)
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: Headers): void {
    this.#signal?.removeEventListener('abort', this)
    const response = this.#response!
    if (trailers !== undefined) response.trailers = trailers
    response.body.onEnd()
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#signal?.removeEventListener('abort', this)
    if (this.#response === null) this.#reject(error)
    else this.#response.body.onError(error)
  }
}
