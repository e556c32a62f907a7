import { AsyncResource } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import { type RequestMessage, requestChannels } from '../channels.ts'
import type { Origin } from '../connect/origin.ts'
import {
  BodyLeakError,
  HttpTimeoutError,
  RequestAbortedError,
  ResponseTooLargeError,
} from '../errors.ts'
import type { Controller, Handler, RawHeaders, ResponseHeaders } from '../handler.ts'
import type { CallPolicy } from '../request/call-policy.ts'
import type { ExchangeOptions } from '../request/exchange-options.ts'
import { isRedirect } from '../request/redirect-target.ts'
import { discardBody } from '../request/request-body.ts'
import type { PoolCore, Running } from '../shared/pool-core.ts'
import type { Timed } from '../time/deadline-heap.ts'
import { type TotalDeadline, totalDeadline } from '../time/total-deadline.ts'
import type { Attempt } from './attempt.ts'
import { AttemptPlan, type PlanOwner } from './attempt-plan.ts'
import { toPoolError } from './request-fault.ts'

/**
 * One request of a caller, from the call to the last byte, over all its attempts.
 *
 * To the caller's handler it is the controller, from the first moment: an abort works while the request
 * waits for a connection or for its next attempt as well. Nothing reaches the handler before it is certain
 * that this attempt is the one that counts, so a retry leaves no trace with the caller.
 *
 * All its times (the total deadline, the phases of its attempts, its delays) share one entry of the heap:
 * whichever comes first.
 */
export class Exchange extends AsyncResource implements Controller, PlanOwner, Running, Timed {
  readonly core: PoolCore
  readonly downstream: Handler
  readonly policy: CallPolicy
  readonly origin: Origin
  options: ExchangeOptions

  aborted = false
  paused = false
  reason: Error | null = null
  rawHeaders: RawHeaders = null
  rawTrailers: RawHeaders = null

  deadline = 0
  heapIndex = -1
  settled = false

  /** Neighbours among the requests of the pool. */
  previous: Running | null = null
  next: Running | null = null

  readonly #plan: AttemptPlan
  readonly #total: TotalDeadline
  /** The attempt whose response goes to the caller. */
  #upstream: Controller | null = null
  #leakAt = Infinity
  #received = 0
  #isRedirected = false
  #message: RequestMessage | undefined
  #startedAt = 0

  constructor(core: PoolCore, origin: Origin, options: ExchangeOptions, downstream: Handler) {
    super('MillraceHttpExchange')
    this.core = core
    this.origin = origin
    this.options = options
    this.downstream = downstream
    this.policy = options.policy ?? core.settings.dispatch
    this.#total = options.total ?? totalDeadline(this.policy.totalTimeout, core.clock)
    this.#plan = new AttemptPlan(this)
  }

  get isAwaited(): boolean {
    return this.options.call === undefined
  }

  get key(): string {
    return this.origin.key
  }

  /** When the caller's time is over, by the pool's clock. */
  get totalDeadline(): number {
    return this.#total.at
  }

  totalTimeoutError(): HttpTimeoutError {
    return new HttpTimeoutError('total', this.#total.timeout, this.key)
  }

  /** @param message of the request, if its channels have subscribers */
  start(message: RequestMessage | undefined): void {
    const { core, origin, policy } = this
    core.add(this)
    origin.counters.requests++
    origin.exchanges++
    if (message !== undefined) {
      this.#message = message
      this.#startedAt = core.clock.now()
    }
    this.watch(this.totalDeadline)
    this.downstream.onRequestStart?.(this, null)
    if (this.settled) return
    if (policy.retry !== undefined || origin.guard !== undefined) {
      core.retryBudget.deposit(core.clock.now())
    }
    origin.guard?.hedge?.deposit()
    this.#plan.begin('first')
  }

  /** Sees to it that the heap calls at `deadline` or before. */
  watch(deadline: number): void {
    const isSooner = this.heapIndex === -1 || deadline < this.deadline
    if (isSooner && deadline !== Infinity) this.core.deadlines.schedule(this, deadline)
  }

  onDeadline(now: number): void {
    if (now >= this.totalDeadline) {
      this.fail(this.totalTimeoutError())
      return
    }
    if (now >= this.#leakAt) this.#checkLeak(now)
    this.#plan.check(now)
    if (this.settled) return
    this.watch(Math.min(this.totalDeadline, this.#leakAt, this.#plan.nextDeadline))
  }

  /** Ends it with an error. */
  fail(error: Error): void {
    if (this.settled) return
    this.#finish(error)
    this.downstream.onResponseError?.(this, error)
  }

  // From here on: called by the caller's handler.

  pause(): void {
    if (this.paused) return
    this.paused = true
    this.#upstream?.pause()
    const { bodyLeakTimeout } = this.core.settings
    if (bodyLeakTimeout !== 0) {
      this.#leakAt = this.core.clock.now() + bodyLeakTimeout
      this.watch(this.#leakAt)
    }
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.#leakAt = Infinity
    this.#plan.current?.touch()
    this.#upstream?.resume()
  }

  abort(reason?: Error): void {
    if (this.settled) return
    this.aborted = true
    this.reason = reason ?? new RequestAbortedError(this.origin.key)
    this.fail(this.reason)
  }

  // From here on: called by its attempts.

  onAttemptSent(attempt: Attempt): void {
    this.#plan.onSent(attempt)
  }

  onAttemptHeaders(
    attempt: Attempt,
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage: string | undefined,
  ): void {
    if (this.#plan.passesOver(attempt, statusCode, headers)) {
      attempt.discard(headers)
      return
    }
    this.#upstream = controller
    this.rawHeaders = controller.rawHeaders ?? null
    if (this.#message !== undefined) this.#message.statusCode = statusCode
    // A listener may send the next request in here, and is not to find the context of the socket.
    if (isRedirect(statusCode)) {
      this.#isRedirected = true
      this.runInAsyncScope(this.#handOut, this, statusCode, headers, statusMessage)
    } else {
      this.#handOut(statusCode, headers, statusMessage)
    }
    if (this.paused && !this.settled) controller.pause()
  }

  onAttemptInterim(
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage: string | undefined,
  ): void {
    this.downstream.onResponseStart?.(this, statusCode, headers, statusMessage)
  }

  onAttemptData(chunk: Buffer): void {
    this.#received += chunk.length
    const { maxResponseSize } = this.policy
    if (this.#received > maxResponseSize) {
      this.fail(new ResponseTooLargeError(maxResponseSize, this.origin.key))
    } else {
      this.downstream.onResponseData?.(this, chunk)
    }
  }

  onAttemptEnd(trailers: ResponseHeaders): void {
    this.#finish(undefined)
    this.rawTrailers = this.#upstream?.rawTrailers ?? null
    if (this.#isRedirected) this.runInAsyncScope(this.#handOutEnd, this, trailers)
    else this.#handOutEnd(trailers)
  }

  onAttemptUpgrade(
    attempt: Attempt,
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    socket: Duplex,
  ): void {
    this.#plan.win(attempt)
    this.#finish(undefined)
    this.rawHeaders = controller.rawHeaders ?? null
    this.downstream.onRequestUpgrade?.(this, statusCode, headers, socket)
  }

  onAttemptError(attempt: Attempt, error: Error): void {
    if (this.settled) return
    attempt.origin.counters.failures++
    const hasAnswered = this.#upstream !== null && this.downstream.buffersResponse !== true
    if (this.#plan.replaces(attempt, error, hasAnswered)) {
      this.#upstream = null
      this.#received = 0
    } else {
      this.fail(toPoolError(error))
    }
  }

  #handOut(statusCode: number, headers: ResponseHeaders, statusMessage: string | undefined): void {
    this.downstream.onResponseStart?.(this, statusCode, headers, statusMessage)
  }

  #handOutEnd(trailers: ResponseHeaders): void {
    this.downstream.onResponseEnd?.(this, trailers)
  }

  #checkLeak(now: number): void {
    const { settings, queued, closed } = this.core
    if (queued > 0 || closed)
      this.fail(new BodyLeakError(settings.bodyLeakTimeout, this.origin.key))
    else this.#leakAt = now + settings.bodyLeakTimeout
  }

  #finish(error: Error | undefined): void {
    this.settled = true
    this.core.deadlines.cancel(this)
    this.#plan.cancel(error)
    if (error !== undefined) discardBody(this.options.body)
    this.origin.exchanges--
    this.core.remove(this)
    if (this.#message !== undefined) this.#publishEnd(this.#message, error)
  }

  #publishEnd(message: RequestMessage, error: Error | undefined): void {
    message.attempts = this.#plan.sendings
    message.duration = this.core.clock.now() - this.#startedAt
    if (error !== undefined) message.error = error
    requestChannels.end.publish(message)
  }
}
