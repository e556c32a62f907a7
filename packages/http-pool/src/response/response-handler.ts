import type { Controller, ResponseHeaders } from '../handler.ts'
import { type Call, FollowingHandler } from './following-handler.ts'
import { ResponseBody } from './response-body.ts'

/** A response whose head has arrived. */
export interface HttpResponse<Opaque = unknown> {
  /** Where it came from in the end: another URL than asked for after redirects. */
  url: string
  statusCode: number
  statusText: string
  /** By name in lower case; a repeated header is an array. */
  headers: ResponseHeaders
  body: ResponseBody
  /** Filled in when the body has ended. */
  trailers: ResponseHeaders
  /** What the request gave. */
  opaque: Opaque
}

/** Turns the events of a request into a promise of its response, and a body. */
export class ResponseHandler extends FollowingHandler {
  readonly #resolve: (response: HttpResponse) => void
  readonly #reject: (error: unknown) => void
  readonly #opaque: unknown
  readonly #highWaterMark: number | undefined
  #response: HttpResponse | null = null

  constructor(
    call: Call,
    opaque: unknown,
    highWaterMark: number | undefined,
    resolve: (response: HttpResponse) => void,
    reject: (error: unknown) => void,
  ) {
    super(call)
    this.#opaque = opaque
    this.#highWaterMark = highWaterMark
    this.#resolve = resolve
    this.#reject = reject
  }

  protected override onHead(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage: string | undefined,
  ): void {
    const contentType = headers['content-type'] as string | undefined
    this.#response = {
      url: this.url,
      statusCode,
      statusText: statusMessage ?? '',
      headers,
      body: new ResponseBody(controller, contentType, this.#highWaterMark, this.expected),
      trailers: {},
      opaque: this.#opaque,
    }
    this.#resolve(this.#response)
  }

  protected override onChunk(chunk: Buffer): void {
    this.#response!.body.onData(chunk)
  }

  protected override onComplete(trailers: ResponseHeaders): void {
    const response = this.#response!
    if (trailers !== undefined) response.trailers = trailers
    response.body.onEnd()
  }

  protected override onFailure(error: Error): void {
    if (this.#response === null) this.#reject(error)
    else this.#response.body.onError(error)
  }
}
