import type { AsyncResource } from 'node:async_hooks'
import type { ClientHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Carried, Carrier } from '../connect/carried.ts'
import type { Origin } from '../connect/origin.ts'
import { isSessionEnd, resetError, StreamAbandoned } from '../connect/stream-errors.ts'
import type { StreamOwner } from '../connect/stream-watch.ts'
import { HttpTimeoutError, SupersededError } from '../errors.ts'
import type { Controller, ResponseHeaders } from '../handler.ts'
import { permitOutcome } from '../limits/permit-outcome.ts'
import { type PermitOwner, PermitTurn } from '../limits/permit-turn.ts'
import type { ExchangeOptions } from '../request/exchange-options.ts'
import { discardBody, isStreamBody, type StreamBody } from '../request/request-body.ts'
import { isDeadConnection } from '../retry/transient-errors.ts'
import type { AttemptOwner } from './attempt-owner.ts'
import { type AttemptPhase, phaseTimeout } from './attempt-phase.ts'
import type { AttemptTrace } from './attempt-trace.ts'
import { bodyTimeout } from './body-timeout.ts'
import { Drain, isTooLong } from './drain.ts'
import { type ReportedAttempt, reportEnd } from './guard-report.ts'
import { Upload, type UploadOwner } from './upload.ts'

/** One sending of a request: the handler that undici calls, and a place in the queue. */
export class Attempt implements Carried, PermitOwner, ReportedAttempt, StreamOwner, UploadOwner {
  readonly exchange: AttemptOwner<Attempt>
  readonly origin: Origin
  readonly options: ExchangeOptions
  trace: AttemptTrace | undefined
  phase: AttemptPhase = 'waiting'
  /** When the present phase is too long, by the pool's clock. */
  phaseDeadline: number = Infinity
  connection: Carrier | null = null
  /** Set once it is on the wire. */
  controller: Controller | null = null
  /** Over HTTP/2, what carries it. */
  stream: ClientHttp2Stream | null = null
  /** When it went on the wire. */
  sentAt = 0
  /** Went out on a socket that had carried another request before. */
  onReusedSocket = false
  /** At least one byte of a response has arrived. */
  hasResponse = false
  /** Of the final response; 0 until its head has come. */
  statusCode = 0
  /** What the origin's guard wants back with its outcome. */
  era = 0
  /** The origin's guard has been told how it ended. */
  isReported = false

  isQueued = false
  previous: Carried | null = null
  next: Carried | null = null
  streamIndex: number = -1

  #upload: Upload | undefined
  #drain: Drain | undefined
  #bodyTimeout = 0
  /** What its connection had brought when it went out. */
  #heard = 0
  #permit: PermitTurn | undefined
  /** Ends the watch over a stream that waits to be sent. */
  #unwatchBody: (() => void) | undefined

  constructor(exchange: AttemptOwner<Attempt>, origin: Origin, options: ExchangeOptions) {
    this.exchange = exchange
    this.origin = origin
    this.options = options
  }

  get scope(): AsyncResource {
    return this.trace?.scope ?? this.exchange
  }

  get settled(): boolean {
    return this.phase === 'over'
  }

  /** Gets a permit and a connection, or waits for them. */
  start(): void {
    if (isStreamBody(this.options.body)) this.#watchBody(this.options.body)
    if (this.settled) return
    const { limiter } = this.origin
    if (limiter !== undefined) {
      this.#permit = new PermitTurn(limiter)
      if (!this.#permit.take()) {
        this.#watchAcquire()
        const { exchange } = this
        const last = Math.min(this.phaseDeadline, exchange.totalDeadline)
        const left = last - this.origin.load.clock.now()
        // The event loop was late, or a hook took its time.
        if (left > 0) this.#permit.wait(left, this)
        else if (last === exchange.totalDeadline) this.fail(exchange.totalTimeoutError())
        else this.fail(this.timeoutError())
        return
      }
    }
    this.origin.place(this)
  }

  /** Told by its turn at the limiter. */
  onPermit(): void {
    this.origin.place(this)
  }

  /** Told by its turn at the limiter, which may have waited for as long as it was given: then its time-out is that of the pool. */
  onRefusal(error: Error): void {
    const { exchange } = this
    const now = this.origin.load.clock.now()
    if (now >= exchange.totalDeadline) this.fail(exchange.totalTimeoutError())
    else this.fail(now >= this.phaseDeadline ? this.timeoutError() : error)
  }

  /** Told by the origin: there was no connection for it yet. */
  onQueued(): void {
    if (this.phaseDeadline === Infinity) this.#watchAcquire()
  }

  /** Told by the origin: this is its connection. */
  send(connection: Carrier): void {
    this.connection = connection
    this.phase = 'opening'
    this.phaseDeadline = Infinity
    connection.dispatch(this)
  }

  /** Ends it with an error that is not the connection's. */
  fail(error: Error): void {
    if (this.settled) return
    this.cancel(error)
    this.exchange.onAttemptError(this, error)
  }

  /** Ends it without telling its exchange, and frees what it holds. */
  cancel(error: Error): void {
    if (this.settled) return
    const { connection, controller } = this
    if (error instanceof HttpTimeoutError) this.#doubt(connection)
    this.phase = 'over'
    // Whatever went to a connection undici looks after.
    if (connection === null) discardBody(this.options.body)
    if (this.isQueued) this.origin.unqueue(this)
    // Over HTTP/1.1 the socket is lost with the request; over HTTP/2 only the stream is.
    if (controller !== null) this.#abort(controller, error)
    else if (connection !== null && !connection.isH2) connection.retire()
    this.#end(true, error)
  }

  /** Lets go of a response that has begun, at the least cost: read if short, else cut off. */
  discard(headers: ResponseHeaders): void {
    const cutOff = (): void => this.cancel(new SupersededError(this.origin.key))
    if (isTooLong(headers)) {
      cutOff()
      return
    }
    this.phase = 'draining'
    this.#drain = new Drain(this.origin.load, cutOff)
  }

  /** The error for a phase that took too long. */
  timeoutError(): HttpTimeoutError {
    return phaseTimeout(this.phase, this.exchange.policy, this.origin.key)
  }

  /** Gives the sender of the body another `bodyTimeout`. */
  touch(): void {
    const timeout = this.#bodyTimeout
    // Never earlier than before, so the heap need not know: it looks again when its own time comes.
    if (timeout !== 0) this.phaseDeadline = this.origin.load.clock.now() + timeout
  }

  // From here on: called by undici.

  onRequestStart(controller: Controller): void {
    const { connection } = this
    // Over HTTP/2 a second time on another session, if the first went away without having processed it.
    if ((this.phase !== 'opening' && this.phase !== 'sent') || connection === null) {
      controller.abort(new SupersededError(this.origin.key))
      return
    }
    if (connection.isH2) {
      this.stream = null
      this.origin.load.streams.expect(this)
    }
    if ((this.options.body ?? null) !== null) this.#upload = new Upload(this, connection.isH2)
    this.controller = controller
    this.phase = 'sent'
    this.#unwatchBody?.()
    this.#heard = connection.heard
    this.onReusedSocket = connection.served++ > 0
    if (this.onReusedSocket) this.origin.counters.reused++
    this.sentAt = this.origin.load.clock.now()
    this.trace?.onSent(this.onReusedSocket ? 0 : connection.connectDuration, this.onReusedSocket)
    this.#awaitHead(this.sentAt)
    this.exchange.watch(this.phaseDeadline)
    this.exchange.onAttemptSent(this)
  }

  /** Told by its upload: the time to the head counts from the latest part. */
  onPart(): void {
    if (this.phase === 'sent') this.#awaitHead(this.origin.load.clock.now())
  }

  /** Told by the origin's watch over streams. */
  onStream(stream: ClientHttp2Stream): void {
    this.stream = stream
    this.connection?.onStream(this, stream)
  }

  onResponseStarted(): void {
    this.hasResponse = true
    if (this.phase === 'sent') this.exchange.downstream.onResponseStarted?.()
  }

  onBodySent(chunk: Buffer): void {
    this.#upload?.onBodySent(chunk)
  }

  onRequestSent(): void {
    this.exchange.downstream.onRequestSent?.()
  }

  onRequestUpgrade(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    socket: Duplex,
  ): void {
    this.phase = 'over'
    this.trace?.onHeaders(statusCode)
    this.connection?.detach()
    this.#end(false, undefined)
    this.exchange.onAttemptUpgrade(this, controller, statusCode, headers, socket)
  }

  onResponseStart(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage?: string,
  ): void {
    this.hasResponse = true
    this.connection?.onSign()
    if (this.phase !== 'sent') return
    const { exchange } = this
    if (statusCode < 200) {
      exchange.onAttemptInterim(statusCode, headers, statusMessage)
      return
    }
    this.phase = 'body'
    this.statusCode = statusCode
    this.phaseDeadline = Infinity
    this.#bodyTimeout = bodyTimeout(exchange.policy, headers)
    this.touch()
    exchange.watch(this.phaseDeadline)
    this.trace?.onHeaders(statusCode)
    exchange.onAttemptHeaders(this, controller, statusCode, headers, statusMessage)
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    this.connection?.onSign()
    if (this.phase === 'body') {
      this.touch()
      this.exchange.onAttemptData(chunk)
    } else {
      this.#drain?.onData(chunk)
    }
  }

  onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    const { phase, stream } = this
    if (phase === 'over') return
    if (stream !== null && stream.rstCode !== 0) {
      this.onResponseError(controller, resetError(stream))
      return
    }
    this.phase = 'over'
    this.#end(false, undefined)
    if (phase === 'body') this.exchange.onAttemptEnd(trailers)
  }

  onResponseError(_controller: Controller | null, error: Error): void {
    const { phase, connection } = this
    if (phase === 'over') return
    this.phase = 'over'
    // Over HTTP/2 its socket may stay open for a while, and would get the next attempt.
    if (connection?.isH2 === true && (isSessionEnd(error) || isDeadConnection(error))) {
      connection.drain()
    }
    this.#end(true, error)
    if (phase !== 'draining') this.exchange.onAttemptError(this, error)
  }

  /** A stream may fail before undici reads it. */
  #watchBody(body: StreamBody): void {
    const onError = (error: Error): void => this.fail(error)
    body.on('error', onError)
    this.#unwatchBody = () => void body.off('error', onError)
    if (body.errored) this.fail(body.errored)
  }

  #abort(controller: Controller, error: Error): void {
    if (this.connection?.isH2 !== true) {
      controller.abort(error)
    } else if (this.#upload?.isWriting === true) {
      process.nextTick(() => this.#abortStream(controller, error))
    } else {
      this.#abortStream(controller, error)
    }
  }

  #abortStream(controller: Controller, error: Error): void {
    // undici closes the stream and then destroys it. While the end of an upload is on its way Node 24 does not come back to its event
    // loop from that, and does if the stream is destroyed first: the README has the program.
    this.stream?.destroy()
    controller.abort(new StreamAbandoned(error))
  }

  #watchAcquire(): void {
    const { acquireTimeout } = this.exchange.policy
    if (acquireTimeout === 0) return
    this.phaseDeadline = this.origin.load.clock.now() + acquireTimeout
    this.exchange.watch(this.phaseDeadline)
  }

  /** Counts from the latest chunk sent: an upload may take as long as it makes progress. */
  #awaitHead(lastSentAt: number): void {
    const { headersTimeout } = this.exchange.policy
    if (headersTimeout !== 0) this.phaseDeadline = lastSentAt + headersTimeout
  }

  /** A dead connection whose end was not heard of would get the next attempts too: over HTTP/2 it outlives this one. */
  #doubt(connection: Carrier | null): void {
    if (this.phase !== 'sent' || connection === null || !connection.isH2) return
    if (connection.heard === this.#heard) connection.drain()
  }

  #end(failed: boolean, error: Error | undefined): void {
    const { connection } = this
    this.#drain?.end()
    this.#unwatchBody?.()
    this.#upload?.end(this.stream)
    this.trace?.end(error)
    if (!this.isReported) reportEnd(this, error)
    this.#permit?.end(error, permitOutcome(this.statusCode, error, this.controller !== null))
    if (connection !== null) {
      this.connection = null
      connection.release(this, failed)
    }
  }
}
