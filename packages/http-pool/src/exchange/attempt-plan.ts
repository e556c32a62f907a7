import { retryAfter } from '@millrace/kit'
import { type AttemptReason, attemptChannels } from '../channels.ts'
import type { Origin } from '../connect/origin.ts'
import { type HttpPoolError, PoolClosedError, SupersededError } from '../errors.ts'
import type { ResponseHeaders } from '../handler.ts'
import type { Hedge } from '../host/hedge.ts'
import type { HostGuard } from '../host/host-guard.ts'
import { type ExchangeOptions, isReplayable } from '../request/exchange-options.ts'
import { withInjectedHeaders } from '../request/injected-headers.ts'
import { guardedBody } from '../request/request-body.ts'
import { isTransient } from '../retry/transient-errors.ts'
import type { PoolCore } from '../shared/pool-core.ts'
import { Attempt } from './attempt.ts'
import type { AttemptOwner } from './attempt-owner.ts'
import { AttemptTrace } from './attempt-trace.ts'
import { reportAnswer } from './guard-report.ts'
import { isConnectionEnd, isRepeatable, mayRepeat } from './repeat-rules.ts'

const MAX_RESENDS = 3

/** The exchange, as the plan of its attempts sees it. */
export interface PlanOwner extends AttemptOwner<Attempt> {
  readonly core: PoolCore
  readonly origin: Origin
  /** With a new body for each attempt after the first. */
  options: ExchangeOptions
  readonly paused: boolean
  fail(error: Error): void
}

/**
 * The attempts of one exchange: at most two at a time, the second being a hedge; when the next one begins,
 * and whether there is one.
 *
 * The host's guard admits each attempt and is told its outcome, exactly once.
 */
export class AttemptPlan {
  readonly #exchange: PlanOwner
  #attempt: Attempt | null = null
  #hedge: Attempt | null = null
  #wakeAt = Infinity
  #wakeReason: AttemptReason = 'first'
  /** Of the attempt that the guard has admitted last. */
  #era = 0
  #hedgeAt = Infinity
  /** Attempts that count against the policy: resends do not. */
  #attempts = 0
  #resends = 0
  /** Attempts of all kinds. */
  sendings = 0

  constructor(exchange: PlanOwner) {
    this.#exchange = exchange
  }

  /** The one whose response the caller gets, or may get. */
  get current(): Attempt | null {
    return this.#attempt
  }

  /** When to call {@link check}. */
  get nextDeadline(): number {
    const phases = Math.min(
      this.#attempt?.phaseDeadline ?? Infinity,
      this.#hedge?.phaseDeadline ?? Infinity,
    )
    return Math.min(this.#wakeAt, this.#hedgeAt, phases)
  }

  begin(reason: AttemptReason): void {
    const exchange = this.#exchange
    const { core, origin } = exchange
    const { guard } = origin
    if (core.destroyed) {
      exchange.fail(new PoolClosedError(origin.key))
      return
    }
    if (reason !== 'resend') this.#attempts++
    if (guard === undefined) this.#send(reason)
    else this.#beginGuarded(guard, core.clock.now(), reason)
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
  passesOver(attempt: Attempt, statusCode: number, headers: ResponseHeaders): boolean {
    const { retry } = this.#exchange.policy
    const isRetryable = retry?.allowsStatus(statusCode) === true
    reportAnswer(attempt, statusCode, headers, isRetryable)
    if (isRetryable) {
      const wait = retry.honoursRetryAfter ? (retryAfter(headers) ?? 0) : 0
      if (this.#leaveToOther(attempt) || this.#retryIn(attempt, undefined, wait)) return true
    }
    this.win(attempt)
    return false
  }

  /** An attempt has failed. Whether another one takes its place. */
  replaces(attempt: Attempt, error: Error, hasAnswered: boolean): boolean {
    if (this.#leaveToOther(attempt)) return true
    if (hasAnswered) return false
    if (this.#resend(attempt, error)) return true
    return isTransient(error) && this.#retryIn(attempt, error, 0)
  }

  /** The other attempt, if there is one, is not needed any more. */
  win(attempt: Attempt): void {
    this.#hedgeAt = Infinity
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
    if (this.#wakeAt !== Infinity) {
      this.#wakeAt = Infinity
      core.hold.release()
      origin.guard?.ignored(core.clock.now(), this.#era)
    }
    this.#hedgeAt = Infinity
    this.#end(this.#attempt, error)
    this.#end(this.#hedge, error)
  }

  /** Waits until the host's own limit has room; not if that is too late, nor if the guard admits no attempt. */
  #beginGuarded(guard: HostGuard, now: number, reason: AttemptReason): void {
    const exchange = this.#exchange
    const { acquireTimeout } = exchange.policy
    const delay = guard.serverDelay(now)
    const isTooLate = acquireTimeout !== 0 && delay > acquireTimeout
    const refusal =
      isTooLate || (delay > 0 && now + delay >= exchange.totalDeadline)
        ? guard.serverLimitError(delay)
        : this.#admit(guard, now)
    if (refusal !== undefined) exchange.fail(refusal)
    else if (delay > 0) this.#sleep(now + delay, reason)
    else this.#send(reason)
  }

  #admit(guard: HostGuard, now: number): HttpPoolError | undefined {
    const refusal = guard.admit(now)
    this.#era = guard.era
    return refusal
  }

  /** One attempt more than was asked for. It is paid for only if it may go out. */
  #admitExtra(now: number, hedge: Hedge | undefined): boolean {
    const { core, origin } = this.#exchange
    const { guard } = origin
    if (guard?.allowsRetry(now) === false || hedge?.isAffordable === false) return false
    if (core.retryBudget.balance(now) < 1) return false
    if (guard !== undefined && this.#admit(guard, now) !== undefined) return false
    core.retryBudget.withdraw(now)
    hedge?.withdraw()
    return true
  }

  #send(reason: AttemptReason): void {
    const { origin, core } = this.#exchange
    origin.counters.attempts++
    this.sendings++
    // What the user gave is called here: bodies and headers are made, a limiter is asked.
    try {
      if (reason !== 'first') this.#renewBody()
      if (attemptChannels.hasSubscribers) this.#startTraced(reason)
      else this.#make(reason).start()
    } catch (error) {
      const attempt = reason === 'hedge' ? this.#hedge : this.#attempt
      // The guard has admitted an attempt whose end it would not be told.
      if (attempt === null || attempt.settled) {
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

  /** Sends a request again whose connection died idle or went away: that costs no budget and no delay. */
  #resend(attempt: Attempt, error: Error): boolean {
    const { options, policy, origin } = this.#exchange
    if (!isConnectionEnd(attempt, error) || this.#resends >= MAX_RESENDS) return false
    if (!mayRepeat(attempt, error, options, policy)) return false
    this.#resends++
    origin.counters.resends++
    // Once may be chance. Twice, and the other idle connections are taken for dead too.
    if (this.#resends > 1) origin.retireIdle()
    this.#exchange.runInAsyncScope(this.begin, this, 'resend')
    return true
  }

  /** Plans another attempt, at least `wait` ms from now, if policy, time, budget and guard allow. */
  #retryIn(attempt: Attempt, error: Error | undefined, wait: number): boolean {
    const { policy, options, core, origin, totalDeadline } = this.#exchange
    const { retry } = policy
    if (retry === undefined || this.#attempts >= retry.maxAttempts || core.closed) return false
    if (!mayRepeat(attempt, error, options, policy)) return false
    const now = core.clock.now()
    const least = Math.max(wait, origin.guard?.serverDelay(now) ?? 0)
    // Jitter on top of what the server asks for: all its clients were told the same time.
    const delay = least + retry.delay(this.#attempts - 1, core.random)
    // An attempt that begins after the deadline cannot help.
    if (least > retry.maxDelay || now + delay >= totalDeadline) return false
    // Asked for now, while there still is a response to hand out if it is refused.
    if (!this.#admitExtra(now, undefined)) return false
    this.#attempts++
    origin.counters.retries++
    this.#sleep(now + delay, 'retry')
    return true
  }

  #sleep(until: number, reason: AttemptReason): void {
    this.#attempt = null
    this.#wakeAt = until
    this.#wakeReason = reason
    this.#exchange.core.hold.acquire()
    this.#exchange.watch(until)
  }

  #wake(): void {
    this.#wakeAt = Infinity
    this.#exchange.core.hold.release()
    this.#send(this.#wakeReason)
  }

  #isHedgeable(): boolean {
    const { options, policy } = this.#exchange
    return this.#resends === 0 && isReplayable(options) && isRepeatable(options, policy)
  }

  #beginHedge(now: number): void {
    this.#hedgeAt = Infinity
    const { core, origin } = this.#exchange
    const guard = origin.guard!
    if (this.#attempt?.phase !== 'sent' || core.closed) return
    if (guard.serverDelay(now) > 0 || !this.#admitExtra(now, guard.hedge)) return
    origin.counters.hedges++
    this.#send('hedge')
  }

  /** If the other attempt is still under way, the outcome is left to it. */
  #leaveToOther(attempt: Attempt): boolean {
    const other = attempt === this.#attempt ? this.#hedge : this.#attempt
    if (this.#hedge === null || other === null || other.settled) return false
    this.#attempt = other
    this.#hedge = null
    this.#hedgeAt = Infinity
    return true
  }

  #renewBody(): void {
    const exchange = this.#exchange
    const { makeBody } = exchange.options
    if (makeBody === undefined) return
    exchange.options = { ...exchange.options, body: guardedBody(makeBody()) }
  }

  #checkPhase(attempt: Attempt | null, now: number): void {
    if (attempt === null || attempt.settled || now < attempt.phaseDeadline) return
    // A reader that pauses the body stops the sender: that time is the reader's.
    if (this.#exchange.paused && attempt.phase === 'body') attempt.touch()
    else attempt.fail(attempt.timeoutError())
  }

  #end(attempt: Attempt | null, error: Error | undefined): void {
    // An error costs its stack trace: none is made for the attempt that ended the request.
    if (attempt === null || attempt.settled) return
    attempt.cancel(error ?? new SupersededError(attempt.origin.key))
  }
}
