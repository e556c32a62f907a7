import { retryAfter } from '@millrace/kit'
import {
  BreakerOpenError,
  type HttpPoolError,
  ServerLimitError,
  ThrottledError,
} from '../errors.ts'
import type { ResponseHeaders } from '../handler.ts'
import { Breaker, type BreakerSettings } from './breaker.ts'
import { Hedge, type HedgeSettings } from './hedge.ts'
import { HostBrake } from './host-brake.ts'
import { serverQuota } from './rate-limit-fields.ts'
import { ServerLimit } from './server-limit.ts'
import { Throttle, type ThrottleSettings } from './throttle.ts'

/** What judges a host's health, as far as it is on. */
export interface GuardSettings {
  readonly hostTokens: number | undefined
  readonly breaker: BreakerSettings | undefined
  readonly throttle: ThrottleSettings | undefined
  readonly hedge: HedgeSettings | undefined
  readonly learnLimits: boolean
}

/** What a pool knows of one host's health, and what follows from it for the next attempt. */
export class HostGuard {
  readonly brake: HostBrake | undefined
  readonly breaker: Breaker | undefined
  readonly throttle: Throttle | undefined
  readonly hedge: Hedge | undefined
  readonly #origin: string
  readonly #serverLimit: ServerLimit | undefined

  constructor(origin: string, settings: GuardSettings, random: () => number) {
    const { hostTokens, breaker, throttle, hedge, learnLimits } = settings
    this.#origin = origin
    this.brake = hostTokens === undefined ? undefined : new HostBrake(hostTokens)
    this.breaker = breaker && new Breaker(breaker, random)
    this.throttle = throttle && new Throttle(throttle, random)
    this.hedge = hedge && new Hedge(hedge)
    this.#serverLimit = learnLimits ? new ServerLimit() : undefined
  }

  /** What an admitted attempt hands back with its outcome: the opening of the breaker that it came after. */
  get era(): number {
    return this.breaker?.opened ?? 0
  }

  /**
   * Why no attempt may go to this host now. If there is no reason, it has its place in the server's own limit,
   * {@link serverDelay} from now, and one of the outcomes below must follow.
   */
  admit(now: number): HttpPoolError | undefined {
    const { breaker, throttle } = this
    if (breaker !== undefined && !breaker.admit(now)) {
      return new BreakerOpenError(breaker.retryAfter(now), this.#origin)
    }
    if (throttle !== undefined && !throttle.admit(now)) {
      breaker?.ignored()
      return new ThrottledError(throttle.probability(now), this.#origin)
    }
    this.#serverLimit?.take(now)
    return undefined
  }

  /** In ms, how long the server's own limit makes the next attempt wait. */
  serverDelay(now: number): number {
    return this.#serverLimit?.delay(now) ?? 0
  }

  serverLimitError(delay: number): ServerLimitError {
    return new ServerLimitError(delay, this.#origin)
  }

  /** Whether it knows that nothing may go out now, which must not be forgotten. */
  keepsOut(now: number): boolean {
    return this.breaker?.refuses(now) === true || this.serverDelay(now) > 0
  }

  /** Whether another attempt is worth planning. */
  allowsRetry(now: number): boolean {
    return this.brake?.allowsRetry !== false && this.breaker?.refuses(now) !== true
  }

  /** The head of a response has come. */
  answered(
    statusCode: number,
    headers: ResponseHeaders,
    isRetryable: boolean,
    latency: number,
    now: number,
    era: number,
  ): void {
    if (isRetryable) this.brake?.failed()
    else this.brake?.succeeded()
    if (statusCode >= 500) this.breaker?.failed(now, era)
    else this.breaker?.succeeded(now, era)
    this.throttle?.settled(statusCode < 500 && statusCode !== 429, now)
    if (statusCode < 500) this.hedge?.record(latency, now)
    if (this.#serverLimit !== undefined) this.#learn(this.#serverLimit, statusCode, headers, now)
  }

  /** The attempt failed for a reason that is the host's or the way's to it. */
  failed(now: number, era: number): void {
    this.brake?.failed()
    this.breaker?.failed(now, era)
    this.throttle?.settled(false, now)
  }

  /** The attempt ended by the caller's will, or for want of a connection: that says nothing of the host. */
  ignored(now: number, era: number): void {
    this.breaker?.ignored(era)
    this.throttle?.settled(true, now)
  }

  /** At least this long, when another attempt was faster or the time ran out. */
  tookLonger(latency: number, now: number): void {
    this.hedge?.record(latency, now)
  }

  #learn(limit: ServerLimit, statusCode: number, headers: ResponseHeaders, now: number): void {
    const wait = statusCode === 429 ? retryAfter(headers) : undefined
    if (wait !== undefined) limit.block(wait, now)
    const quota = serverQuota(headers)
    if (quota !== undefined) limit.learn(quota, now)
  }
}
