import type { StatsKinds } from '@millrace/kit'
import { LimiterClosedError, RateLimitedError } from '../../errors.ts'
import { checkRefund } from '../../limiter/check-refund.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import { RATE_STATS_KINDS, type RateStats } from '../../limiter/rate-stats.ts'
import type { AcquireOptions, Admission } from '../../wait/acquire-options.ts'
import { publishRefusal } from '../../wait/channels.ts'
import { type WaitCounts, WaitTotals } from '../../wait/wait-totals.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import { keyPart } from './key-part.ts'
import { REDIS_LIMIT_STATS_KINDS, type RedisLimit, type RedisLimitStats } from './redis-limit.ts'

/** Statistics that every limit on a rate has which is kept in Redis. */
export interface RedisRateStats extends RedisLimitStats, RateStats {}

/** What the numbers of {@link RedisRateStats} are. */
export const REDIS_RATE_STATS_KINDS: StatsKinds<RedisRateStats> = {
  ...REDIS_LIMIT_STATS_KINDS,
  ...RATE_STATS_KINDS,
}

/** Limits on a rate by their keys in Redis: what is done to one, and the accounts of all. */
export abstract class SharedRate<Mode extends OutageMode = OutageMode, Debt = unknown> {
  abstract readonly limit: RedisLimit<Mode, Debt>
  readonly #suffix: string
  readonly #totals = new WaitTotals()
  #closed = false
  #granted = 0
  #refunded = 0

  /** @param suffix what keys in Redis end with */
  protected constructor(suffix: string) {
    this.#suffix = suffix
  }

  /** The key in Redis, where there is one limit only. */
  get key(): string {
    return this.limit.key + this.#suffix
  }

  /** The key in Redis of a user's key. @throws {InvalidOptionError} for what is no string */
  keyOf(key: string): string {
    const { prefix, id } = this.limit
    return `${prefix}:${id}:${keyPart(key)}${this.#suffix}`
  }

  get closed(): boolean {
    return this.#closed
  }

  abstract decide(key: string, cost: number): Promise<Decision>
  abstract acquire(
    key: string,
    cost: number,
    options: AcquireOptions | undefined,
  ): Promise<Admission>
  abstract refund(key: string, cost: number): Promise<void>
  abstract get(key: string): Promise<Decision>
  abstract penalize(key: string, cost: number): Promise<void>
  abstract block(key: string, ms: number): Promise<void>
  abstract reset(key: string): Promise<void>

  stats(): RedisRateStats {
    return {
      ...this.limit.stats(),
      granted: this.#granted,
      refunded: this.#refunded,
      ...this.#totals.sum(this.queues()),
    }
  }

  /** Refuses what comes from now on, and rejects what waits. */
  abstract close(): Promise<void>

  protected shut(): void {
    this.#closed = true
  }

  /** Those that calls wait in now. */
  protected abstract queues(): Iterable<WaitCounts>

  /** Keeps the accounts of a queue that is forgotten. */
  protected retire(queue: WaitCounts): void {
    this.#totals.retire(queue)
  }

  protected checkOpen(): void {
    if (this.#closed) throw new LimiterClosedError(this.limit.name)
  }

  /** Counts permits that passed. */
  count(cost: number): void {
    this.#granted += cost
  }

  /** Counts what was decided, and tells of a refusal. */
  protected counted(cost: number, decision: Decision): Decision {
    if (decision.allowed) this.count(cost)
    else {
      this.#totals.refused++
      publishRefusal(this.limit.name, cost, decision.retryAfter)
    }
    return decision
  }

  /**
   * Counts what is given back.
   *
   * @param most may have been granted by another process, or by this one before a restart
   * @returns how many permits it is; parts of one count as one where `whole` is asked for
   */
  protected countRefund(cost: number, most: number, whole = false): number {
    checkRefund(cost, Math.max(this.#granted, most))
    const permits = whole ? Math.ceil(cost) : cost
    this.#granted -= permits
    this.#refunded += permits
    return permits
  }

  /** For a call that never waits, not for the queue either. */
  protected async acquireNow(key: string, cost: number): Promise<Admission> {
    const { allowed, retryAfter } = await this.decide(key, cost)
    if (!allowed) throw new RateLimitedError(this.limit.name, retryAfter)
    return { waited: 0 }
  }
}
