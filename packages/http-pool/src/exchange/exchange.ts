import { AsyncResource } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Origin } from '../connect/origin.ts'
import {
  HttpTimeoutError,
  InvalidRequestError,
  RequestAbortedError,
  type RequestPart,
  ResponseTooLargeError,
} from '../errors.ts'
import type { CallPolicy } from '../options/settings.ts'
import type { PoolCore } from '../pool-core.ts'
import { isRedirect, redirectTarget } from '../redirect/redirect-target.ts'
import { retryAfter } from '../retry/retry-after.ts'
import { isDeadConnection, isTransient } from '../retry/transient-errors.ts'
import type { Timed } from '../time/deadline-heap.ts'
import { Attempt } from './attempt.ts'
import { type ExchangeOptions, isReplayable } from './dispatch-options.ts'

/** A handler that hands nothing out before the last byte can start over with another attempt. */
type Handler = Dispatcher.DispatchHandler & { readonly buffersResponse?: boolean }
type Headers = Parameters<NonNullable<Handler['onResponseStart']>>[2]

/** Resends after which all other idle connections of the origin are taken for dead too. */
const resendsBeforeFreshConnection = 1
const maxResends = 3

/**
 * One request of a caller, from the call to the last byte, over all its attempts.
 *
 * To the caller's handler it is the controller, from the first moment: an abort works while the request
 * waits for a connection or for its next attempt as well. Nothing reaches the handler before it is certain
 * that this attempt is the one that counts, so a retry leaves no trace with the caller.
 */
export class Exchange extends AsyncResource implements Dispatcher.DispatchController, Timed {
  readonly core: PoolCore
  readonly downstream: Handler
  readonly policy: CallPolicy
  origin: Origin
  options: ExchangeOptions

  aborted = false
  paused = false
  reason: Error | null = null
  rawHeaders: Dispatcher.DispatchController['rawHeaders'] = null
  rawTrailers: Dispatcher.DispatchController['rawTrailers'] = null

  deadline = 0
  heapIndex = -1
  isOver = false

  /** Neighbours among the requests of the pool. */
  previous: Exchange | null = null
  next: Exchange | null = null

  #attempt: Attempt | null = null
  /** The attempt whose response goes to the caller. */
  #upstream: Dispatcher.DispatchController | null = null
  #totalDeadline = Number.POSITIVE_INFINITY
  #retryAt = Number.POSITIVE_INFINITY
  #attempts = 0
  #resends = 0
  #redirects = 0
  #received = 0

  constructor(core: PoolCore, origin: Origin, options: ExchangeOptions, downstream: Handler) {
    super('MillraceHttpExchange')
    this.core = core
    this.origin = origin
    this.options = options
    this.downstream = downstream
    this.policy = options.policy ?? core.settings.dispatch
  }

  start(): void {
    const { core, origin, policy } = this
    core.add(this)
    origin.counters.requests++
    if (policy.totalTimeout !== 0) {
      this.#totalDeadline = core.clock.now() + policy.totalTimeout
      core.deadlines.schedule(this, this.#totalDeadline)
    }
    this.downstream.onRequestStart?.(this, null)
    if (!this.isOver) {
      if (policy.retry !== undefined) core.retryBudget?.deposit(core.clock.now())
      this.#begin()
    }
  }

  /** Sees to it that the heap calls at `deadline` or before. */
  watch(deadline: number): void {
    const isSooner = this.heapIndex === -1 || deadline < this.deadline
    if (isSooner && deadline !== Number.POSITIVE_INFINITY) {
      this.core.deadlines.schedule(this, deadline)
    }
  }

  onDeadline(now: number): void {
    const attempt = this.#attempt
    if (now >= this.#totalDeadline) {
      this.#fail(new HttpTimeoutError('total', this.policy.totalTimeout, this.origin.key))
    } else if (attempt !== null && now >= attempt.phaseDeadline) {
      // A reader that pauses the body stops the sender: that time is the reader's.
      if (this.paused) attempt.touch()
      else attempt.fail(attempt.timeoutError())
    } else if (now >= this.#retryAt) {
      this.runInAsyncScope(this.#wake, this)
    }
    if (this.isOver || this.heapIndex !== -1) return
    const next = Math.min(
      this.#totalDeadline,
      this.#retryAt,
      this.#attempt?.phaseDeadline ?? Number.POSITIVE_INFINITY,
    )
    if (next !== Number.POSITIVE_INFINITY) this.core.deadlines.schedule(this, next)
  }

  // From here on: called by the caller's handler.

  pause(): void {
    this.paused = true
    this.#upstream?.pause()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.#attempt?.touch()
    this.#upstream?.resume()
  }

  abort(reason?: Error): void {
    if (this.isOver) return
    this.aborted = true
    this.reason = reason ?? new RequestAbortedError(this.origin.key)
    this.#fail(this.reason)
  }

  // From here on: called by its attempts.

  onAttemptHeaders(
    attempt: Attempt,
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Headers,
    statusMessage: string | undefined,
  ): void {
    const { policy, origin } = this
    const { retry } = policy
    if (retry?.allowsStatus(statusCode)) {
      origin.brake?.failed()
      const wait = retry.honoursRetryAfter ? retryAfter(headers) : undefined
      if (this.#retryIn(attempt, wait ?? 0)) {
        attempt.discard(headers)
        return
      }
    } else {
      origin.brake?.succeeded()
    }
    if (policy.maxRedirects > 0 && isRedirect(statusCode) && headers.location !== undefined) {
      this.#redirect(attempt, statusCode, headers)
      return
    }
    this.#upstream = controller
    this.rawHeaders = controller.rawHeaders ?? null
    this.downstream.onResponseStart?.(this, statusCode, headers, statusMessage)
    if (this.paused && !this.isOver) controller.pause()
  }

  onAttemptData(attempt: Attempt, chunk: Buffer): void {
    this.#received += chunk.length
    const { maxResponseSize } = this.policy
    if (this.#received > maxResponseSize) {
      attempt.cancel(new Error('The response is too large'))
      this.#fail(new ResponseTooLargeError(maxResponseSize, this.origin.key))
      return
    }
    this.downstream.onResponseData?.(this, chunk)
  }

  onAttemptEnd(_attempt: Attempt, trailers: Headers): void {
    this.#finish()
    this.rawTrailers = this.#upstream?.rawTrailers ?? null
    this.downstream.onResponseEnd?.(this, trailers)
  }

  onAttemptUpgrade(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Headers,
    socket: Duplex,
  ): void {
    this.#finish()
    this.rawHeaders = controller.rawHeaders ?? null
    this.downstream.onRequestUpgrade?.(this, statusCode, headers, socket)
  }

  onAttemptError(attempt: Attempt, error: Error): void {
    if (this.isOver) return
    this.origin.counters.failures++
    if (this.#upstream === null || this.downstream.buffersResponse === true) {
      this.#upstream = null
      this.#received = 0
      if (this.#resend(attempt, error)) return
      if (isTransient(error)) {
        this.origin.brake?.failed()
        if (this.#retryIn(attempt, 0)) return
      }
    }
    this.#fail(toPoolError(error))
  }

  #begin(): void {
    this.#attempts++
    const { origin } = this
    origin.counters.attempts++
    const attempt = new Attempt(this, origin, this.options)
    this.#attempt = attempt
    if (this.core.isDestroyed) attempt.fail(this.core.closedError(origin.key))
    else origin.place(attempt)
  }

  /**
   * Sends a request again whose connection died idle: the server closed it before it read a byte of this
   * request. That is no sign of trouble, so it costs no budget and no delay (net/http's Transport does the
   * same).
   */
  #resend(attempt: Attempt, error: Error): boolean {
    if (!attempt.onReusedSocket || attempt.hasResponse || !isDeadConnection(error)) return false
    if (this.#resends >= maxResends || !this.#mayRepeat(attempt)) return false
    this.#resends++
    this.origin.counters.resends++
    if (this.#resends > resendsBeforeFreshConnection) this.origin.retireIdle()
    this.#attempts--
    this.#renewBody()
    this.#begin()
    return true
  }

  /** Plans another attempt, at least `wait` ms from now, if policy, budget and time allow. */
  #retryIn(attempt: Attempt, wait: number): boolean {
    const { retry } = this.policy
    const { core, origin } = this
    if (retry === undefined || this.#attempts >= retry.maxAttempts) return false
    if (!this.#mayRepeat(attempt) || core.isClosed) return false
    const now = core.clock.now()
    const delay = Math.max(wait, retry.delay(this.#attempts - 1, core.random))
    // A wait that the deadline or the policy cuts short is an attempt that cannot help.
    if (delay > retry.maxDelay || now + delay >= this.#totalDeadline) return false
    if (origin.brake?.allowsRetry === false || core.retryBudget?.withdraw(now) === false) {
      return false
    }
    origin.counters.retries++
    this.#attempt = null
    this.#retryAt = now + delay
    core.hold.acquire()
    this.watch(this.#retryAt)
    return true
  }

  #wake(): void {
    this.#retryAt = Number.POSITIVE_INFINITY
    this.core.hold.release()
    this.#renewBody()
    this.#begin()
  }

  /** A second sending is harmless, and possible. */
  #mayRepeat(attempt: Attempt): boolean {
    if (!isReplayable(this.options)) return false
    const { policy, options } = this
    // Nothing was sent: no method forbids another try.
    if (attempt.controller === null) return true
    if (policy.retryAnyMethod || options.idempotent === true) return true
    return options.idempotent !== false && this.core.isRepeatable(options.method, policy)
  }

  #renewBody(): void {
    const { makeBody } = this.options
    if (makeBody !== undefined) this.options = { ...this.options, body: makeBody() }
  }

  #redirect(attempt: Attempt, statusCode: number, headers: Headers): void {
    this.#redirects++
    const target = redirectTarget(this, statusCode, headers, this.#redirects)
    attempt.discard(headers)
    if (target instanceof Error) {
      this.#fail(target)
      return
    }
    this.options = target
    this.origin = this.core.originOf(target.origin as string)
    this.#attempts = 0
    this.#renewBody()
    this.#begin()
  }

  #fail(error: Error): void {
    this.#finish()
    this.downstream.onResponseError?.(this, error)
  }

  #finish(): void {
    this.isOver = true
    const { core } = this
    core.deadlines.cancel(this)
    if (this.#retryAt !== Number.POSITIVE_INFINITY) {
      this.#retryAt = Number.POSITIVE_INFINITY
      core.hold.release()
    }
    const attempt = this.#attempt
    // An error costs its stack trace: none is made for the attempt that ended the request.
    if (attempt !== null && !attempt.isOver) {
      attempt.cancel(this.reason ?? new RequestAbortedError(this.origin.key))
    }
    core.remove(this)
  }
}

/** undici finds most faults of a request while it builds its head, before a byte is sent. */
function toPoolError(error: Error): Error {
  if ((error as NodeJS.ErrnoException).code !== 'UND_ERR_INVALID_ARG') return error
  const part = faultyParts.find(each => error.message.includes(each.word))?.part ?? 'url'
  return new InvalidRequestError(part, error.message, { cause: error })
}

const faultyParts: readonly { word: string; part: RequestPart }[] = [
  { word: 'header', part: 'headers' },
  { word: 'body', part: 'body' },
  { word: 'method', part: 'method' },
]
