import type { Duplex } from 'node:stream'
import { HttpTimeoutError, RequestAbortedError, ResponseTooLargeError } from '../errors.ts'
import type { Controller, Handler, ResponseHeaders } from '../handler.ts'
import { Relay } from '../relay.ts'
import type { CallPolicy } from '../request/call-policy.ts'
import type { PoolCore, Running } from '../shared/pool-core.ts'
import type { Timed } from '../time/deadline-heap.ts'
import type { TotalDeadline } from '../time/total-deadline.ts'

/**
 * One call where something may answer, or keep it waiting, before there is an exchange: the store of a
 * cache, or the request of another caller.
 *
 * The caller has its controller from the first moment, and the call ends at its deadline or by its caller's
 * abort whatever the layers further in are waiting for. What they bring later is dropped.
 */
export class BoundedCall extends Relay implements Timed, Running {
  readonly key: string
  readonly isAwaited = true
  readonly #core: PoolCore
  readonly #total: TotalDeadline
  readonly #policy: CallPolicy
  #received = 0
  /** It has gone further than a cache: to the origin, or to be validated there. */
  isForwarded: boolean

  deadline = 0
  heapIndex = -1
  previous: Running | null = null
  next: Running | null = null

  constructor(
    core: PoolCore,
    key: string,
    total: TotalDeadline,
    policy: CallPolicy,
    downstream: Handler,
  ) {
    super(downstream)
    this.#core = core
    this.#policy = policy
    this.isForwarded = core.settings.cache === undefined
    this.key = key
    this.#total = total
  }

  start(): void {
    this.#core.add(this)
    const { at } = this.#total
    if (at !== Infinity) this.#core.deadlines.schedule(this, at)
    this.downstream.onRequestStart?.(this, null)
  }

  onDeadline(): void {
    this.#fail(new HttpTimeoutError('total', this.#total.timeout, this.key))
  }

  // From here on: called by the caller's handler.

  abort(reason?: Error): void {
    if (this.settled) return
    this.aborted = true
    this.reason = reason ?? new RequestAbortedError(this.key)
    this.#fail(this.reason)
  }

  // From here on: called by the layer further in. It may start anew: after a look-up, a revalidation.

  override onRequestStart(controller: Controller): void {
    this.upstream = controller
    if (this.settled) controller.abort(this.reason ?? new RequestAbortedError(this.key))
    else if (this.paused) controller.pause()
  }

  override onResponseStart(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage?: string,
  ): void {
    if (this.settled) return
    if (!this.isForwarded && statusCode >= 200) this.#core.cached++
    this.rawHeaders = controller.rawHeaders ?? null
    this.downstream.onResponseStart?.(this, statusCode, headers, statusMessage)
  }

  override onResponseData(_controller: Controller, chunk: Buffer): void {
    if (this.settled) return
    this.#received += chunk.length
    const { maxResponseSize } = this.#policy
    // What a cache holds was within the limit of another call.
    if (this.#received > maxResponseSize) {
      this.#fail(new ResponseTooLargeError(maxResponseSize, this.key))
    } else {
      this.downstream.onResponseData?.(this, chunk)
    }
  }

  override onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    if (this.settled) return
    this.rawTrailers = controller.rawTrailers ?? null
    this.#finish()
    this.downstream.onResponseEnd?.(this, trailers)
  }

  override onRequestUpgrade(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    socket: Duplex,
  ): void {
    if (this.settled) {
      socket.destroy()
      return
    }
    this.rawHeaders = controller.rawHeaders ?? null
    this.#finish()
    this.downstream.onRequestUpgrade?.(this, statusCode, headers, socket)
  }

  override onResponseError(_controller: Controller | null, error: Error): void {
    if (this.settled) return
    this.#finish()
    this.downstream.onResponseError?.(this, error)
  }

  #fail(error: Error): void {
    if (this.settled) return
    this.#finish()
    this.reason ??= error
    this.upstream?.abort(error)
    this.downstream.onResponseError?.(this, error)
  }

  #finish(): void {
    this.settled = true
    this.#core.deadlines.cancel(this)
    this.#core.remove(this)
  }
}
