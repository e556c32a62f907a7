import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Connection } from '../connect/connection.ts'
import type { Origin } from '../connect/origin.ts'
import { HttpTimeoutError } from '../errors.ts'
import type { Timed } from '../time/deadline-heap.ts'
import type { ExchangeOptions } from './dispatch-options.ts'
import type { Exchange } from './exchange.ts'

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2]

/** Bytes of an unwanted response that are read to keep its connection, and the time that may take. */
const drainLimit = 128 * 1024
const drainTimeout = 2_000

/**
 * - `waiting`: for a permit or a connection
 * - `opening`: given to a connection, which may still have to connect
 * - `sent`: on the wire, no final response yet
 * - `body`: receiving
 * - `draining`: reading a response that nobody wants, for the sake of the connection
 */
export type AttemptPhase = 'waiting' | 'opening' | 'sent' | 'body' | 'draining' | 'over'

/** One sending of a request: the handler that undici calls, and a place in the queue. */
export class Attempt implements Dispatcher.DispatchHandler, Timed {
  readonly exchange: Exchange
  readonly origin: Origin
  readonly options: ExchangeOptions
  phase: AttemptPhase = 'waiting'
  /** When the present phase is too long, by the pool's clock. */
  phaseDeadline = Number.POSITIVE_INFINITY
  connection: Connection | null = null
  /** Set once it is on the wire. */
  controller: Dispatcher.DispatchController | null = null
  /** Went out on a socket that had carried another request before. */
  onReusedSocket = false
  /** At least one byte of a response has arrived. */
  hasResponse = false

  isQueued = false
  previous: Attempt | null = null
  next: Attempt | null = null

  deadline = 0
  heapIndex = -1
  #drained = 0

  constructor(exchange: Exchange, origin: Origin, options: ExchangeOptions) {
    this.exchange = exchange
    this.origin = origin
    this.options = options
  }

  get isOver(): boolean {
    return this.phase === 'over'
  }

  /** Told by the origin: there was no connection for it yet. */
  onQueued(): void {
    const { acquireTimeout } = this.exchange.policy
    if (acquireTimeout === 0) return
    this.phaseDeadline = this.origin.core.clock.now() + acquireTimeout
    this.exchange.watch(this.phaseDeadline)
  }

  /** Told by the origin: this is its connection. */
  send(connection: Connection): void {
    this.connection = connection
    this.phase = 'opening'
    this.phaseDeadline = Number.POSITIVE_INFINITY
    connection.dispatch(this)
  }

  /** Ends it with an error that is not the connection's. */
  fail(error: Error): void {
    this.cancel(error)
    this.exchange.onAttemptError(this, error)
  }

  /** Ends it silently, and frees what it holds. */
  cancel(error: Error): void {
    const { phase, connection } = this
    if (phase === 'over') return
    this.phase = 'over'
    this.origin.core.deadlines.cancel(this)
    if (this.isQueued) this.origin.unqueue(this)
    if (connection === null) return
    // Over HTTP/1.1 the socket is lost with the request; over HTTP/2 only the stream is.
    if (this.controller !== null) this.controller.abort(error)
    else if (connection.capacity === 1) connection.retire()
    this.#release(true)
  }

  /** Lets go of a response that has begun, at the least cost: read if short, else cut off. */
  discard(headers: Headers): void {
    const length = headers['content-length']
    if (typeof length === 'string' && Number(length) > drainLimit) {
      this.cancel(new Error('The response is not wanted'))
      return
    }
    this.phase = 'draining'
    const { core } = this.origin
    core.deadlines.schedule(this, core.clock.now() + drainTimeout)
  }

  onDeadline(): void {
    this.cancel(new Error('The unwanted response took too long'))
  }

  /** The error for a phase that took too long. */
  timeoutError(): HttpTimeoutError {
    const { policy } = this.exchange
    const { key } = this.origin
    if (this.phase === 'waiting') return new HttpTimeoutError('acquire', policy.acquireTimeout, key)
    if (this.phase === 'sent') return new HttpTimeoutError('headers', policy.headersTimeout, key)
    return new HttpTimeoutError('body', policy.bodyTimeout, key)
  }

  // From here on: called by undici.

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const connection = this.connection
    if (this.phase !== 'opening' || connection === null) {
      controller.abort(new Error('The request was cancelled'))
      return
    }
    this.controller = controller
    this.phase = 'sent'
    this.onReusedSocket = connection.served++ > 0
    if (this.onReusedSocket) this.origin.counters.reused++
    const { headersTimeout } = this.exchange.policy
    if (headersTimeout !== 0) {
      this.phaseDeadline = this.origin.core.clock.now() + headersTimeout
      this.exchange.watch(this.phaseDeadline)
    }
  }

  onResponseStarted(): void {
    this.hasResponse = true
    if (this.phase === 'sent') this.exchange.downstream.onResponseStarted?.()
  }

  onBodySent(chunk: Buffer): void {
    this.exchange.downstream.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.exchange.downstream.onRequestSent?.()
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Headers,
    socket: Duplex,
  ): void {
    this.phase = 'over'
    this.connection?.detach()
    this.#release(false)
    this.exchange.onAttemptUpgrade(controller, statusCode, headers, socket)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Headers,
    statusMessage?: string,
  ): void {
    this.hasResponse = true
    if (this.phase !== 'sent') return
    if (statusCode < 200) {
      this.exchange.downstream.onResponseStart?.(this.exchange, statusCode, headers, statusMessage)
      return
    }
    this.phase = 'body'
    this.touch()
    this.exchange.watch(this.phaseDeadline)
    this.exchange.onAttemptHeaders(this, controller, statusCode, headers, statusMessage)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.phase === 'body') {
      this.touch()
      this.exchange.onAttemptData(this, chunk)
    } else if (this.phase === 'draining') {
      this.#drained += chunk.length
      if (this.#drained > drainLimit) this.cancel(new Error('The unwanted response is too long'))
    }
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: Headers): void {
    const { phase } = this
    if (phase === 'over') return
    this.phase = 'over'
    this.origin.core.deadlines.cancel(this)
    this.#release(false)
    if (phase === 'body') this.exchange.onAttemptEnd(this, trailers)
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    const { phase } = this
    if (phase === 'over') return
    this.phase = 'over'
    this.origin.core.deadlines.cancel(this)
    this.#release(true)
    if (phase !== 'draining') this.exchange.onAttemptError(this, error)
  }

  /** Gives the sender of the body another `bodyTimeout`. */
  touch(): void {
    const { bodyTimeout } = this.exchange.policy
    // Never earlier than before, so the heap need not know: it looks again when its own time comes.
    this.phaseDeadline =
      bodyTimeout === 0 ? Number.POSITIVE_INFINITY : this.origin.core.clock.now() + bodyTimeout
  }

  #release(failed: boolean): void {
    const { connection } = this
    if (connection === null) return
    this.connection = null
    this.origin.release(connection, failed)
  }
}
