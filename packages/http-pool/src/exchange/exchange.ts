import { AsyncResource } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import {
  type AttemptReason,
  attemptChannels,
  hasSubscribers,
  type RequestMessage,
  requestChannels,
} from '../channels.ts'
import type { Origin } from '../connect/origin.ts'
import {
  BodyLeakError,
  HttpTimeoutError,
  RequestAbortedError,
  ResponseTooLargeError,
  SupersededError,
} from '../errors.ts'
import type { CallPolicy } from '../options/settings.ts'
import type { PoolCore } from '../pool-core.ts'
import { retryAfter } from '../retry/retry-after.ts'
import { isTransient } from '../retry/transient-errors.ts'
import type { Timed } from '../time/deadline-heap.ts'
import { Attempt } from './attempt.ts'
import { AttemptTrace, withInjectedHeaders } from './attempt-trace.ts'
import { type ExchangeOptions, isReplayable } from './dispatch-options.ts'
import { diedIdle, isRepeatable, mayRepeat } from './repeat-rules.ts'
import { toPoolError } from './request-fault.ts'

/** A handler that hands nothing out before the last byte can start over with another attempt. */
type Handler = Dispatcher.DispatchHandler & { readonly buffersResponse?: boolean }
type Headers = Parameters<NonNullable<Handler['onResponseStart']>>[2]
type Controller = Dispatcher.DispatchController

const never = Number.POSITIVE_INFINITY
const maxResends = 3

/**
 * One request of a caller, from the call to the last byte, over all its attempts.
 *
 * To the caller's handler it is the controller, from the first moment: an abort works while the request
 * waits for a connection or for its next attempt as well. Nothing reaches the handler before it is certain
 * that this attempt is the one that counts, so a retry leaves no trace with the caller.
 *
 * Its attempts are at most two at a time, the second being a hedge. All its times (the total deadline, the
 * phases of its attempts, its delays) share one entry of the heap: whichever comes first.
 */
export class Exchange extends AsyncResource implements Controller, Timed {
  readonly core: PoolCore
  readonly downstream: Handler
  readonly policy: CallPolicy
  readonly origin: Origin
  options: ExchangeOptions

  aborted = false
  paused = false
  reason: Error | null = null
  rawHeaders: Controller['rawHeaders'] = null
  rawTrailers: Controller['rawTrailers'] = null

  deadline = 0
  heapIndex = -1
  totalDeadline: number = never
  isOver = false

  /** Neighbours among the requests of the pool. */
  previous: Exchange | null = null
  next: Exchange | null = null

  #attempt: Attempt | null = null
  #hedge: Attempt | null = null
  /** The attempt whose response goes to the caller. */
  #upstream: Controller | null = null
  /** When to begin the next attempt, and why. */
  #wakeAt: number = never
  #wakeReason: AttemptReason = 'first'
  #hedgeAt: number = never
  #leakAt: number = never
  /** Attempts that count against the policy; those of all kinds for the channels. */
  #attempts = 0
  #sendings = 0
  #resends = 0
  #received = 0
  #message: RequestMessage | undefined
  #startedAt = 0

  constructor(core: PoolCore, origin: Origin, options: ExchangeOptions, downstream: Handler) {
    super('MillraceHttpExchange')
    this.core = core
    this.origin = origin
    this.options = options
    this.downstream = downstream
    this.policy = options.policy ?? core.settings.dispatch
  }

  /** @param message of the request, if its channels have subscribers */
  start(message: RequestMessage | undefined): void {
    const { core, origin, policy } = this
    core.add(this)
    origin.counters.requests++
    if (message !== undefined) {
      this.#message = message
      this.#startedAt = core.clock.now()
    }
    if (policy.totalTimeout !== 0) {
      this.totalDeadline = core.clock.now() + policy.totalTimeout
      core.deadlines.schedule(this, this.totalDeadline)
    }
    this.downstream.onRequestStart?.(this, null)
    if (this.isOver) return
    if (policy.retry !== undefined) core.retryBudget?.deposit(core.clock.now())
    origin.guard?.hedge?.deposit()
    this.#begin('first')
  }

  /** Sees to it that the heap calls at `deadline` or before. */
  watch(deadline: number): void {
    const isSooner = this.heapIndex === -1 || deadline < this.deadline
    if (isSooner && deadline !== never) this.core.deadlines.schedule(this, deadline)
  }

  onDeadline(now: number): void {
    if (now >= this.totalDeadline) {
      this.#fail(new HttpTimeoutError('total', this.policy.totalTimeout, this.origin.key))
      return
    }
    if (now >= this.#leakAt) this.#checkLeak(now)
    this.#checkPhase(this.#attempt, now)
    this.#checkPhase(this.#hedge, now)
    if (now >= this.#wakeAt) this.runInAsyncScope(this.#wake, this)
    if (now >= this.#hedgeAt) this.runInAsyncScope(this.#beginHedge, this, now)
    if (this.isOver) return
    this.watch(
      Math.min(
        this.totalDeadline,
        this.#wakeAt,
        this.#hedgeAt,
        this.#leakAt,
        this.#attempt?.phaseDeadline ?? never,
        this.#hedge?.phaseDeadline ?? never,
      ),
    )
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
    this.#leakAt = never
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

  onAttemptSent(attempt: Attempt): void {
    const { hedge } = this.origin.guard ?? {}
    if (hedge === undefined || attempt !== this.#attempt || this.#hedge !== null) return
    const { delay } = hedge
    if (delay === undefined || !this.#isHedgeable()) return
    this.#hedgeAt = attempt.sentAt + delay
    this.watch(this.#hedgeAt)
  }

  onAttemptHeaders(
    attempt: Attempt,
    controller: Controller,
    statusCode: number,
    headers: Headers,
    statusMessage: string | undefined,
  ): void {
    const { policy } = this
    const { retry } = policy
    const isRetryable = retry?.allowsStatus(statusCode) === true
    this.#judgeAnswer(attempt, statusCode, headers, isRetryable)
    if (isRetryable) {
      const wait = retry.honoursRetryAfter ? (retryAfter(headers) ?? 0) : 0
      if (this.#leaveToOther(attempt) || this.#retryIn(attempt, wait)) {
        attempt.discard(headers)
        return
      }
    }
    this.#win(attempt)
    this.#upstream = controller
    this.rawHeaders = controller.rawHeaders ?? null
    if (this.#message !== undefined) this.#message.statusCode = statusCode
    this.downstream.onResponseStart?.(this, statusCode, headers, statusMessage)
    if (this.paused && !this.isOver) controller.pause()
  }

  onAttemptData(attempt: Attempt, chunk: Buffer): void {
    this.#received += chunk.length
    const { maxResponseSize } = this.policy
    if (this.#received > maxResponseSize) {
      const error = new ResponseTooLargeError(maxResponseSize, this.origin.key)
      attempt.cancel(error)
      this.#fail(error)
      return
    }
    this.downstream.onResponseData?.(this, chunk)
  }

  onAttemptEnd(_attempt: Attempt, trailers: Headers): void {
    this.#finish(undefined)
    this.rawTrailers = this.#upstream?.rawTrailers ?? null
    this.downstream.onResponseEnd?.(this, trailers)
  }

  onAttemptUpgrade(
    attempt: Attempt,
    controller: Controller,
    statusCode: number,
    headers: Headers,
    socket: Duplex,
  ): void {
    this.#win(attempt)
    this.#finish(undefined)
    this.rawHeaders = controller.rawHeaders ?? null
    this.downstream.onRequestUpgrade?.(this, statusCode, headers, socket)
  }

  onAttemptError(attempt: Attempt, error: Error): void {
    if (this.isOver) return
    attempt.origin.counters.failures++
    if (this.#leaveToOther(attempt)) return
    if (this.#upstream === null || this.downstream.buffersResponse === true) {
      this.#upstream = null
      this.#received = 0
      if (this.#resend(attempt, error)) return
      if (isTransient(error) && this.#retryIn(attempt, 0)) return
    }
    this.#fail(toPoolError(error))
  }

  /** Tells the guard of an attempt that ended before it had an answer. */
  judge(attempt: Attempt, error: Error | undefined): void {
    attempt.isJudged = true
    const { guard, core } = attempt.origin
    if (guard === undefined) return
    const now = core.clock.now()
    // A connection that died idle says nothing of the host's health.
    if (error !== undefined && isTransient(error) && !diedIdle(attempt, error)) guard.failed(now)
    else guard.ignored(now)
    const tookTime = error instanceof HttpTimeoutError || error instanceof SupersededError
    if (tookTime && attempt.controller !== null) guard.tookLonger(now - attempt.sentAt, now)
  }

  #begin(reason: AttemptReason): void {
    const { core, origin } = this
    const { guard } = origin
    if (core.isDestroyed) {
      this.#fail(core.closedError(origin.key))
      return
    }
    this.#attempts++
    if (guard !== undefined) {
      const now = core.clock.now()
      const refusal = guard.refusal(now)
      if (refusal !== undefined) {
        this.#fail(refusal)
        return
      }
      const delay = guard.serverDelay(now)
      if (delay > 0) {
        this.#awaitServer(delay, now, reason)
        return
      }
    }
    this.#send(reason)
  }

  #send(reason: AttemptReason): void {
    const { origin, core } = this
    origin.counters.attempts++
    this.#sendings++
    const { injectHeaders } = core.settings
    const isTraced = hasSubscribers(attemptChannels)
    if (injectHeaders === undefined && !isTraced) {
      const attempt = new Attempt(this, origin, this.options)
      this.#place(attempt, reason)
      attempt.start()
      return
    }
    const begin = (): Attempt => {
      const options =
        injectHeaders === undefined
          ? this.options
          : withInjectedHeaders(this.options, origin.key, this.#sendings, injectHeaders)
      const attempt = new Attempt(this, origin, options)
      this.#place(attempt, reason)
      return attempt
    }
    if (!isTraced) {
      begin().start()
      return
    }
    const trace = new AttemptTrace(this.options, origin.key, this.#sendings, reason, core.clock.now)
    trace.start(() => {
      const attempt = begin()
      attempt.trace = trace
      attempt.start()
    })
  }

  #place(attempt: Attempt, reason: AttemptReason): void {
    if (reason === 'hedge') this.#hedge = attempt
    else this.#attempt = attempt
  }

  /** Sends a request again whose connection died idle: that costs no budget and no delay. */
  #resend(attempt: Attempt, error: Error): boolean {
    if (!diedIdle(attempt, error) || this.#resends >= maxResends) return false
    if (!mayRepeat(attempt, this.options, this.policy)) return false
    this.#resends++
    this.origin.counters.resends++
    // Once may be chance. Twice, and the other idle connections are taken for dead too.
    if (this.#resends > 1) this.origin.retireIdle()
    this.#attempts--
    this.#renewBody()
    this.runInAsyncScope(this.#begin, this, 'resend')
    return true
  }

  /** Plans another attempt, at least `wait` ms from now, if policy, budget and time allow. */
  #retryIn(attempt: Attempt, wait: number): boolean {
    const { retry } = this.policy
    const { core, origin } = this
    if (retry === undefined || this.#attempts >= retry.maxAttempts || core.isClosed) return false
    if (!mayRepeat(attempt, this.options, this.policy)) return false
    const now = core.clock.now()
    // Jitter on top of what the server asks for: all its clients were told the same time.
    const delay = wait + retry.delay(this.#attempts - 1, core.random)
    // An attempt that begins after the deadline cannot help.
    if (wait > retry.maxDelay || now + delay >= this.totalDeadline) return false
    if (origin.guard?.allowsRetry(now) === false) return false
    if (core.retryBudget?.withdraw(now) === false) return false
    origin.counters.retries++
    this.#attempt = null
    this.#sleep(now + delay, 'retry')
    return true
  }

  /** Waits until the host's own limit has room, or gives up at once if that is too late. */
  #awaitServer(delay: number, now: number, reason: AttemptReason): void {
    const { acquireTimeout } = this.policy
    if (now + delay >= this.totalDeadline || (acquireTimeout !== 0 && delay > acquireTimeout)) {
      const { guard } = this.origin
      guard!.ignored(now)
      this.#fail(guard!.serverLimitError(delay))
      return
    }
    this.#attempt = null
    this.#sleep(now + delay, reason)
    this.#isAdmitted = true
  }

  /** Admitted by the guard already: only its time has to come. */
  #isAdmitted = false

  #sleep(until: number, reason: AttemptReason): void {
    this.#wakeAt = until
    this.#wakeReason = reason
    this.core.hold.acquire()
    this.watch(until)
  }

  #wake(): void {
    this.#wakeAt = never
    this.core.hold.release()
    if (this.#isAdmitted) {
      this.#isAdmitted = false
      this.#send(this.#wakeReason)
      return
    }
    this.#renewBody()
    this.#begin(this.#wakeReason)
  }

  #isHedgeable(): boolean {
    return (
      this.#resends === 0 && isReplayable(this.options) && isRepeatable(this.options, this.policy)
    )
  }

  #beginHedge(now: number): void {
    this.#hedgeAt = never
    const { core, origin } = this
    const { guard } = origin
    if (this.#attempt?.phase !== 'sent' || core.isClosed) return
    if (!guard!.allowsRetry(now) || !guard!.hedge!.withdraw()) return
    if (core.retryBudget?.withdraw(now) === false || guard!.refusal(now) !== undefined) return
    origin.counters.hedges++
    this.#renewBody()
    this.#send('hedge')
  }

  /** If the other attempt is still under way, the outcome is left to it. */
  #leaveToOther(attempt: Attempt): boolean {
    const other = attempt === this.#attempt ? this.#hedge : this.#attempt
    if (this.#hedge === null || other === null || other.isOver) return false
    this.#attempt = other
    this.#hedge = null
    this.#hedgeAt = never
    return true
  }

  /** This attempt's response is the one that counts. */
  #win(attempt: Attempt): void {
    this.#hedgeAt = never
    const hedge = this.#hedge
    if (hedge === null) return
    const loser = attempt === hedge ? this.#attempt : hedge
    if (attempt === hedge) this.origin.counters.hedgesWon++
    this.#attempt = attempt
    this.#hedge = null
    loser?.cancel(new SupersededError(this.origin.key))
  }

  #renewBody(): void {
    const { makeBody } = this.options
    if (makeBody !== undefined) this.options = { ...this.options, body: makeBody() }
  }

  #judgeAnswer(attempt: Attempt, statusCode: number, headers: Headers, isRetryable: boolean): void {
    attempt.isJudged = true
    const { guard, core } = attempt.origin
    if (guard === undefined) return
    const now = core.clock.now()
    guard.answered(statusCode, headers, isRetryable, now - attempt.sentAt, now)
  }

  #checkPhase(attempt: Attempt | null, now: number): void {
    if (attempt === null || attempt.isOver || now < attempt.phaseDeadline) return
    // A reader that pauses the body stops the sender: that time is the reader's.
    if (this.paused && attempt.phase === 'body') attempt.touch()
    else attempt.fail(attempt.timeoutError())
  }

  #checkLeak(now: number): void {
    const { settings, queued } = this.core
    if (queued > 0) this.#fail(new BodyLeakError(settings.bodyLeakTimeout, this.origin.key))
    else this.#leakAt = now + settings.bodyLeakTimeout
  }

  #fail(error: Error): void {
    this.#finish(error)
    this.downstream.onResponseError?.(this, error)
  }

  #finish(error: Error | undefined): void {
    this.isOver = true
    const { core } = this
    core.deadlines.cancel(this)
    if (this.#wakeAt !== never) {
      this.#wakeAt = never
      core.hold.release()
      if (this.#isAdmitted) this.origin.guard?.ignored(core.clock.now())
    }
    this.#cancel(this.#attempt, error)
    this.#cancel(this.#hedge, error)
    core.remove(this)
    if (this.#message !== undefined) this.#publishEnd(this.#message, error)
  }

  #cancel(attempt: Attempt | null, error: Error | undefined): void {
    // An error costs its stack trace: none is made for the attempt that ended the request.
    if (attempt === null || attempt.isOver) return
    attempt.cancel(error ?? new SupersededError(this.origin.key))
  }

  #publishEnd(message: RequestMessage, error: Error | undefined): void {
    message.attempts = this.#sendings
    message.duration = this.core.clock.now() - this.#startedAt
    if (error !== undefined) message.error = error
    requestChannels.end.publish(message)
  }
}
