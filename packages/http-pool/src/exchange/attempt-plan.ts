import { type AttemptReason, attemptChannels, hasSubscribers } from '../channels.ts'
import { type HttpPoolError, HttpTimeoutError, SupersededError } from '../errors.ts'
import type { HostGuard } from '../host/host-guard.ts'
import { retryAfter } from '../retry/retry-after.ts'
import { isTransient } from '../retry/transient-errors.ts'
import { Attempt } from './attempt.ts'
import { AttemptTrace, withInjectedHeaders } from './attempt-trace.ts'
import { isReplayable } from './dispatch-options.ts'
import type { Exchange, Headers } from './exchange.ts'
import { diedIdle, isRepeatable, mayRepeat } from './repeat-rules.ts'

const never = Number.POSITIVE_INFINITY
const maxResends = 3

/**
 * The attempts of one exchange: at most two at a time, the second being a hedge; when the next one begins,
 * and whether there is one.
 *
 * The host's guard admits each attempt and is told its outcome, exactly once.
 */
export class AttemptPlan {
  readonly #exchange: Exchange
  #attempt: Attempt | null = null
  #hedge: Attempt | null = null
  #wakeAt = never
  #wakeReason: AttemptReason = 'first'
  /** Of the attempt that the guard has admitted last. */
  #era = 0
  /** The attempt that waits has its place within the server's own limit as well. */
  #hasServerSlot = false
  #hedgeAt = never
  /** Attempts that count against the policy: resends do not. */
  #attempts = 0
  #resends = 0
  /** Attempts of all kinds. */
  sendings = 0

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /** The one whose response the caller gets, or may get. */
  get current(): Attempt | null {
    return this.#attempt
  }

  /** When to call {@link check}. */
  get nextDeadline(): number {
    const phases = Math.min(
      this.#attempt?.phaseDeadline ?? never,
      this.#hedge?.phaseDeadline ?? never,
    )
    return Math.min(this.#wakeAt, this.#hedgeAt, phases)
  }

  begin(reason: AttemptReason): void {
    const exchange = this.#exchange
    const { core, origin } = exchange
    const { guard } = origin
    if (core.isDestroyed) {
      exchange.fail(core.closedError(origin.key))
      return
    }
    const refusal = this.#refusal(guard, core.clock.now())
    if (refusal === undefined) this.#proceed(reason)
    else exchange.fail(refusal)
  }

  /** Does what is due at `now`. */
  check(now: number): void {
    this.#checkPhase(this.#attempt, now)
    this.#checkPhase(this.#hedge, now)
    if (now >= this.#wakeAt) this.#exchange.runInAsyncScope(this.#wake, this)
    if (now >= this.#hedgeAt) this.#exchange.runInAsyncScope(this.#beginHedge, this, now)
  }

  /** An attempt is on the wire. */
  onSent(attempt: Attempt): void {
    const { hedge } = attempt.origin.guard ?? {}
    if (hedge === undefined || attempt !== this.#attempt || this.#hedge !== null) return
    const { delay } = hedge
    if (delay === undefined || !this.#isHedgeable()) return
    this.#hedgeAt = attempt.sentAt + delay
    this.#exchange.watch(this.#hedgeAt)
  }

  /** The head of a response has come. Whether it is left for another attempt; if not, it is the one that counts. */
  passesOver(attempt: Attempt, statusCode: number, headers: Headers): boolean {
    const { retry } = this.#exchange.policy
    const isRetryable = retry?.allowsStatus(statusCode) === true
    this.#judgeAnswer(attempt, statusCode, headers, isRetryable)
    if (isRetryable) {
      const wait = retry.honoursRetryAfter ? (retryAfter(headers) ?? 0) : 0
      if (this.#leaveToOther(attempt) || this.#retryIn(attempt, wait)) return true
    }
    this.win(attempt)
    return false
  }

  /** An attempt has failed. Whether another one takes its place. */
  replaces(attempt: Attempt, error: Error, hasAnswered: boolean): boolean {
    if (this.#leaveToOther(attempt)) return true
    if (hasAnswered) return false
    if (this.#resend(attempt, error)) return true
    return isTransient(error) && this.#retryIn(attempt, 0)
  }

  /** The other attempt, if there is one, is not needed any more. */
  win(attempt: Attempt): void {
    this.#hedgeAt = never
    const hedge = this.#hedge
    if (hedge === null) return
    const loser = attempt === hedge ? this.#attempt : hedge
    if (attempt === hedge) attempt.origin.counters.hedgesWon++
    this.#attempt = attempt
    this.#hedge = null
    loser?.cancel(new SupersededError(attempt.origin.key))
  }

  /** Ends all that is under way or planned. */
  cancel(error: Error | undefined): void {
    const { core, origin } = this.#exchange
    if (this.#wakeAt !== never) {
      this.#wakeAt = never
      core.hold.release()
      origin.guard?.ignored(core.clock.now(), this.#era)
    }
    this.#hedgeAt = never
    this.#end(this.#attempt, error)
    this.#end(this.#hedge, error)
  }

  /** Tells the guard of an attempt that ended before it had an answer. */
  judge(attempt: Attempt, error: Error | undefined): void {
    attempt.isJudged = true
    const { guard, core } = attempt.origin
    if (guard === undefined) return
    const now = core.clock.now()
    // A connection that died idle says nothing of the host's health.
    const { era } = attempt
    const isFailure = error !== undefined && isTransient(error) && !diedIdle(attempt, error)
    if (isFailure) guard.failed(now, era)
    else guard.ignored(now, era)
    const tookTime = error instanceof HttpTimeoutError || error instanceof SupersededError
    if (tookTime && attempt.controller !== null) guard.tookLonger(now - attempt.sentAt, now)
  }

  /** The guard has admitted an attempt: it goes out as soon as the server's own limit has room. */
  #proceed(reason: AttemptReason): void {
    const { origin, core } = this.#exchange
    this.#attempts++
    const now = core.clock.now()
    const delay = origin.guard?.serverDelay(now) ?? 0
    if (delay > 0) this.#awaitServer(delay, now, reason)
    else this.#send(reason)
  }

  #send(reason: AttemptReason): void {
    const { origin, core } = this.#exchange
    origin.counters.attempts++
    this.sendings++
    // What the user gave is called here: bodies and headers are made, a limiter is asked.
    try {
      if (reason !== 'first') this.#renewBody()
      if (hasSubscribers(attemptChannels)) this.#startTraced(reason)
      else this.#make(reason).start()
    } catch (error) {
      const attempt = reason === 'hedge' ? this.#hedge : this.#attempt
      // The guard has admitted an attempt that nobody will tell it the end of.
      if (attempt === null || attempt.isOver) {
        origin.guard?.ignored(core.clock.now(), this.#era)
      }
      this.#exchange.fail(error as Error)
    }
  }

  #startTraced(reason: AttemptReason): void {
    const { origin, core, options } = this.#exchange
    const trace = new AttemptTrace(options, origin.key, this.sendings, reason, core.clock)
    trace.start(() => {
      const attempt = this.#make(reason)
      attempt.trace = trace
      attempt.start()
    })
  }

  #make(reason: AttemptReason): Attempt {
    const { origin, core, options } = this.#exchange
    const { injectHeaders } = core.settings
    const own =
      injectHeaders === undefined
        ? options
        : withInjectedHeaders(options, origin.key, this.sendings, injectHeaders)
    const attempt = new Attempt(this.#exchange, origin, own)
    attempt.era = this.#era
    if (reason === 'hedge') this.#hedge = attempt
    else this.#attempt = attempt
    return attempt
  }

  /** Sends a request again whose connection died idle: that costs no budget and no delay. */
  #resend(attempt: Attempt, error: Error): boolean {
    const { options, policy, origin } = this.#exchange
    if (!diedIdle(attempt, error) || this.#resends >= maxResends) return false
    if (!mayRepeat(attempt, options, policy)) return false
    this.#resends++
    origin.counters.resends++
    // Once may be chance. Twice, and the other idle connections are taken for dead too.
    if (this.#resends > 1) origin.retireIdle()
    this.#attempts--
    this.#exchange.runInAsyncScope(this.begin, this, 'resend')
    return true
  }

  /** Plans another attempt, at least `wait` ms from now, if policy, budget and time allow. */
  #retryIn(attempt: Attempt, wait: number): boolean {
    const { policy, options, core, origin, totalDeadline } = this.#exchange
    const { retry } = policy
    if (retry === undefined || this.#attempts >= retry.maxAttempts || core.isClosed) return false
    if (!mayRepeat(attempt, options, policy)) return false
    const now = core.clock.now()
    // Jitter on top of what the server asks for: all its clients were told the same time.
    const delay = wait + retry.delay(this.#attempts - 1, core.random)
    // An attempt that begins after the deadline cannot help.
    if (wait > retry.maxDelay || now + delay >= totalDeadline) return false
    if (origin.guard?.allowsRetry(now) === false) return false
    if (!core.retryBudget.withdraw(now)) return false
    // Asked for now, while there still is a response to hand out if it refuses.
    if (this.#refusal(origin.guard, now) !== undefined) return false
    origin.counters.retries++
    this.#hasServerSlot = false
    this.#sleep(now + delay, 'retry')
    return true
  }

  /** Waits until the host's own limit has room, or gives up at once if that is too late. */
  #awaitServer(delay: number, now: number, reason: AttemptReason): void {
    const exchange = this.#exchange
    const { acquireTimeout } = exchange.policy
    if (now + delay >= exchange.totalDeadline || (acquireTimeout !== 0 && delay > acquireTimeout)) {
      const { guard } = exchange.origin
      guard!.ignored(now, this.#era)
      exchange.fail(guard!.serverLimitError(delay))
      return
    }
    this.#hasServerSlot = true
    this.#sleep(now + delay, reason)
  }

  #sleep(until: number, reason: AttemptReason): void {
    this.#attempt = null
    this.#wakeAt = until
    this.#wakeReason = reason
    this.#exchange.core.hold.acquire()
    this.#exchange.watch(until)
  }

  #wake(): void {
    this.#wakeAt = never
    this.#exchange.core.hold.release()
    if (this.#hasServerSlot) this.#send(this.#wakeReason)
    else this.#proceed(this.#wakeReason)
  }

  #isHedgeable(): boolean {
    const { options, policy } = this.#exchange
    return this.#resends === 0 && isReplayable(options) && isRepeatable(options, policy)
  }

  #beginHedge(now: number): void {
    this.#hedgeAt = never
    const { core, origin } = this.#exchange
    const guard = origin.guard!
    if (this.#attempt?.phase !== 'sent' || core.isClosed) return
    if (!guard.allowsRetry(now) || !guard.hedge!.withdraw()) return
    if (!core.retryBudget.withdraw(now) || this.#refusal(guard, now) !== undefined) return
    origin.counters.hedges++
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

  #renewBody(): void {
    const exchange = this.#exchange
    const { makeBody } = exchange.options
    if (makeBody !== undefined) exchange.options = { ...exchange.options, body: makeBody() }
  }

  #judgeAnswer(attempt: Attempt, statusCode: number, headers: Headers, isRetryable: boolean): void {
    attempt.isJudged = true
    const { guard, core } = attempt.origin
    if (guard === undefined) return
    const now = core.clock.now()
    guard.answered(statusCode, headers, isRetryable, now - attempt.sentAt, now, attempt.era)
  }

  #refusal(guard: HostGuard | undefined, now: number): HttpPoolError | undefined {
    if (guard === undefined) return undefined
    const refusal = guard.refusal(now)
    this.#era = guard.era
    return refusal
  }

  #checkPhase(attempt: Attempt | null, now: number): void {
    if (attempt === null || attempt.isOver || now < attempt.phaseDeadline) return
    // A reader that pauses the body stops the sender: that time is the reader's.
    if (this.#exchange.paused && attempt.phase === 'body') attempt.touch()
    else attempt.fail(attempt.timeoutError())
  }

  #end(attempt: Attempt | null, error: Error | undefined): void {
    // An error costs its stack trace: none is made for the attempt that ended the request.
    if (attempt === null || attempt.isOver) return
    attempt.cancel(error ?? new SupersededError(attempt.origin.key))
  }
}
