import { AsyncResource } from 'node:async_hooks'
import type { Controller, Handler, ResponseHeaders } from '../handler.ts'
import type { Dispatch, ExchangeOptions } from '../request/exchange-options.ts'
import { refusePromise } from '../request/hook-result.ts'
import { isRedirect, redirectTarget } from '../request/redirect-target.ts'
import { bodyLength, discardBody } from '../request/request-body.ts'
import type { Progress, RequestOptions } from '../request/request-options.ts'

/** What a handler at the end of the line needs to send a request, and to send it again elsewhere. */
export interface Call {
  readonly dispatch: Dispatch
  readonly options: ExchangeOptions
  readonly signal: AbortSignal | undefined
  readonly onProgress: RequestOptions['onProgress']
  /** Names in lower case of headers that no redirect takes to another origin. */
  readonly credentials: readonly string[]
}

const NONE: readonly Controller[] = []

/** A redirect whose body is longer than this is cut off rather than read to keep its connection. */
const READABLE_REDIRECT = 64 * 1024

/**
 * The end of the line: listens to the caller's signal and follows redirects.
 *
 * Redirects are followed here and not further in, so that what is cached or shared is the response of a URL
 * and not that of wherever it points today. Each hop is a request of its own with its own controller; what
 * comes from an earlier one is ignored. A response comes in the context of the call that opened its socket, or of the caller who asked
 * first: hops are sent in that of this one, as hooks may look there for whose request it is.
 */
export abstract class FollowingHandler extends AsyncResource implements Handler {
  #call: Call
  #controller: Controller | null = null
  /** The controllers of hops that have been followed. */
  #left: readonly Controller[] = NONE
  /** Bytes that they have sent since. */
  #leftBytes = 0
  #redirects = 0
  #sent = 0
  #received = 0
  #expected: number | undefined
  #isSettled = false

  constructor(call: Call) {
    super('MillraceHttpCall')
    this.#call = call
  }

  /** Of the request that is under way: after redirects the latest. */
  protected get url(): string {
    const { origin, path } = this.#call.options
    return (origin as string) + path
  }

  /** Bytes of the body that counts, if its head says so. */
  protected get expected(): number | undefined {
    return this.#call.options.method === 'HEAD' ? undefined : this.#expected
  }

  /** The head of the response that counts. */
  protected abstract onHead(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage: string | undefined,
  ): void
  protected abstract onChunk(chunk: Buffer): void
  protected abstract onComplete(trailers: ResponseHeaders): void
  protected abstract onFailure(error: Error): void

  send(): void {
    const { dispatch, options, signal } = this.#call
    if (signal !== undefined) {
      if (signal.aborted) {
        this.#fail(signal.reason)
        return
      }
      signal.addEventListener('abort', this)
    }
    dispatch(options, this)
  }

  /** The signal's listener: an object, so that no closure is made per request. */
  handleEvent(): void {
    const { reason } = this.#call.signal!
    if (this.#controller === null) this.#fail(reason)
    // What counts as false is no reason to a stream.
    else this.#controller.abort(reason || undefined)
  }

  onRequestStart(controller: Controller): void {
    // Aborted while a cache looked it up.
    if (this.#isSettled) controller.abort(this.#call.signal!.reason)
    else this.#controller = controller
  }

  onResponseStart(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage?: string,
  ): void {
    if (controller !== this.#controller || statusCode < 200) return
    const { maxRedirects } = this.#call.options.policy!
    if (maxRedirects > 0 && isRedirect(statusCode) && headers.location !== undefined) {
      this.#follow(controller, statusCode, headers)
    } else {
      this.#received = 0
      this.#expected = lengthOf(headers)
      this.onHead(controller, statusCode, headers, statusMessage)
    }
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (controller === this.#controller) {
      if (this.#call.onProgress !== undefined) {
        this.#received += chunk.length
        this.#tell({ direction: 'download', bytes: this.#received, total: this.#expected })
      }
      this.onChunk(chunk)
      return
    }
    this.#leftBytes += chunk.length
    if (this.#leftBytes > READABLE_REDIRECT) this.#cutOff()
  }

  onBodySent(chunk: Uint8Array | string): void {
    const { onProgress, options } = this.#call
    if (onProgress === undefined) return
    this.#sent += Buffer.byteLength(chunk)
    this.#tell({ direction: 'upload', bytes: this.#sent, total: bodyLength(options.body) })
  }

  onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    if (controller !== this.#controller) return
    this.#settle()
    this.onComplete(trailers)
  }

  onResponseError(controller: Controller | null, error: Error): void {
    if (controller === null || !this.#left.includes(controller)) this.#fail(error)
  }

  #follow(controller: Controller, statusCode: number, headers: ResponseHeaders): void {
    this.#redirects++
    const { options, credentials } = this.#call
    const target = redirectTarget(options, statusCode, headers, this.#redirects, credentials)
    this.#controller = null
    this.#left = [...this.#left, controller]
    if (target instanceof Error || Number(headers['content-length']) > READABLE_REDIRECT) {
      this.#cutOff()
    }
    if (target instanceof Error) {
      this.#fail(target)
      return
    }
    this.#call = { ...this.#call, options: target }
    this.runInAsyncScope(this.#call.dispatch, undefined, target, this)
  }

  #tell(progress: Progress): void {
    refusePromise('onProgress', this.#call.onProgress!(progress))
  }

  #fail(error: Error): void {
    if (this.#isSettled) return
    this.#settle()
    discardBody(this.#call.options.body)
    this.onFailure(error)
  }

  #settle(): void {
    this.#isSettled = true
    this.#call.signal?.removeEventListener('abort', this)
    // What a redirect still sends must not outlive the call: no deadline of a caller would end it.
    this.#cutOff()
  }

  #cutOff(): void {
    for (const controller of this.#left) {
      controller.abort(new Error('The redirect has been followed'))
    }
  }
}

function lengthOf(headers: ResponseHeaders): number | undefined {
  const length = headers['content-length']
  return typeof length === 'string' && /^\d+$/.test(length) ? Number(length) : undefined
}
