import {
  checkInteger,
  checkPositive,
  InvalidOptionError,
  type OptionNames,
  type StatsKinds,
} from '@millrace/kit'
import { LimiterClosedError, LimitStoreUnavailableError, RateLimitedError } from '../../errors.ts'
import { checkRefund } from '../../limiter/check-refund.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import { checkLimits, type TokenBucketLimits } from '../../meter/token-bucket-limits.ts'
import {
  type AcquireOptions,
  type Admission,
  checkAcquireOptions,
} from '../../wait/acquire-options.ts'
import { publishRefusal } from '../../wait/channels.ts'
import { checkPriority, DEFAULT_PRIORITY } from '../../wait/priority-order.ts'
import {
  REDIS_LIMIT_OPTIONS,
  REDIS_LIMIT_STATS_KINDS,
  RedisLimit,
  type RedisLimitOptions,
  type RedisLimitStats,
} from '../limit/redis-limit.ts'
import { Ledger } from '../outage/ledger.ts'
import { LocalShare } from '../outage/local-share.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import { type BucketAnswer, type BucketMark, BucketStore, newMark } from '../stores/bucket-store.ts'
import { GRACE, NEAR, ReservedTokens, type Supply } from './reserved-tokens.ts'

/** Options that all limiters of buckets in Redis have. `rate` and `burst` are those of all processes together. */
export interface SharedBucketsOptions extends RedisLimitOptions, TokenBucketLimits {
  /** The longest a call may wait, in ms, and the timeout of calls that give none. Default: 60,000 */
  readonly maxWait?: number | undefined
}

/** The names of {@link SharedBucketsOptions}. */
export const SHARED_BUCKETS_OPTIONS: OptionNames<SharedBucketsOptions> = {
  ...REDIS_LIMIT_OPTIONS,
  rate: true,
  burst: true,
  maxWait: true,
}

/** Statistics that all of them have. */
export interface SharedBucketsStats extends RedisLimitStats {
  /** Tokens handed out by this process, without those refunded. */
  granted: number
  refused: number
  refunded: number
  waiting: number
  timeouts: number
  aborts: number
}

/** What the numbers of {@link SharedBucketsStats} are: a refund takes back what was granted. */
export const SHARED_BUCKETS_STATS_KINDS: StatsKinds<SharedBucketsStats> = {
  ...REDIS_LIMIT_STATS_KINDS,
  granted: 'gauge',
  refused: 'counter',
  refunded: 'counter',
  waiting: 'gauge',
  timeouts: 'counter',
  aborts: 'counter',
}

export interface SharedBucketsRules<Mode extends OutageMode> {
  readonly whenDown: Mode
  readonly modes: readonly Mode[]
  /** The most keys kept in this process for an outage. */
  readonly maxKeys: number
  /** For how many ms tokens are reserved ahead of demand; 0 for never. */
  readonly ahead: number
}

/** A bucket that calls of this process use. */
interface Bucket {
  readonly tokens: ReservedTokens
  readonly mark: BucketMark
}

/**
 * Token buckets in Redis by their keys there, with everything around a call: the queue, the reservations, the way back on
 * abort, and the process' own share while Redis is away.
 */
export class SharedBuckets<Mode extends OutageMode> {
  readonly limit: RedisLimit<Mode, number>
  readonly rate: number
  readonly burst: number
  readonly #store: BucketStore
  readonly #rules: SharedBucketsRules<Mode>
  readonly #maxWait: number
  readonly #ledger: Ledger<number>
  readonly #share: LocalShare
  readonly #buckets = new Map<string, Bucket>()
  /** Refunds under way. */
  readonly #returning = new Set<Promise<void>>()
  #closed = false
  #granted = 0
  #refused = 0
  #refunded = 0
  #timeouts = 0
  #aborts = 0

  constructor(options: SharedBucketsOptions, rules: SharedBucketsRules<Mode>) {
    const { rate, maxWait = 60_000 } = options
    this.rate = rate
    this.burst = checkLimits(options).burst
    this.#rules = rules
    this.#maxWait = checkPositive('maxWait', maxWait)
    checkInteger('maxKeys', rules.maxKeys, 1)
    this.#ledger = new Ledger<number>({
      // What is given back leaves the mark too: a bucket that is full is forgotten, and would be filled up to an older one.
      tell: (key, spent) =>
        spent < 0
          ? this.#credit(key, -spent, this.#buckets.get(key)?.mark)
          : this.#debit(key, spent),
      merge: (spent, later) => spent + later,
      amount: spent => Math.max(0, spent),
      maxKeys: rules.maxKeys,
    })
    this.limit = new RedisLimit(options, {
      ...rules,
      divided: ['local', 'lease'] as OutageMode[] as Mode[],
      ledger: this.#ledger,
    })
    const { guard, clock, peers, outage } = this.limit
    this.#share = new LocalShare({
      rate,
      burst: this.burst,
      maxKeys: rules.maxKeys,
      processes: () => peers.most,
      outages: () => guard,
      reserved: NEAR,
    })
    this.#store = new BucketStore({
      guard,
      clock,
      rate,
      burst: this.burst,
      reserved: () => (outage.divided && peers.most === 1 ? 0 : NEAR),
      overruled: (per, most) =>
        // Redis holds an interval: its inverse differs from what was asked in the last digits.
        this.limit.overruled(`rate ${Number(per.toPrecision(12))}, burst ${most}`),
    })
  }

  async decide(key: string, cost: number): Promise<Decision> {
    this.#check(cost)
    const decision = await this.limit.outage.bridge(
      () => this.#decideTogether(key, cost),
      error => this.#decideAlone(key, cost, error),
      key,
    )
    if (decision.allowed) this.#granted += cost
    else {
      this.#refused++
      publishRefusal(this.limit.name, cost, decision.retryAfter)
    }
    return decision
  }

  async acquire(
    key: string,
    cost: number,
    options: AcquireOptions | undefined,
  ): Promise<Admission> {
    this.#check(cost)
    if (options !== undefined) {
      checkAcquireOptions(options)
      checkPriority(options.priority ?? DEFAULT_PRIORITY)
    }
    if (this.#closed) throw new LimiterClosedError(this.limit.name)
    options?.signal?.throwIfAborted()
    const timeout = Math.min(options?.timeout ?? Infinity, this.#maxWait)
    if (timeout === 0) return this.#acquireNow(key, cost)
    // What was reserved ahead may be taken without a call, what a bucket owes is told first.
    const admission = await this.bucket(key).acquire(cost, {
      ...options,
      cost,
      timeout: timeout + GRACE,
    })
    this.#granted += cost
    return admission
  }

  /** The calls that wait for a bucket, and what is reserved for them. */
  bucket(key: string): ReservedTokens {
    const known = this.#buckets.get(key)
    if (known !== undefined) return known.tokens
    const { name, clock, outage } = this.limit
    const mark = newMark()
    const tokens: ReservedTokens = new ReservedTokens({
      name,
      clock,
      ahead: this.#rules.ahead,
      interval: 1_000 / this.rate,
      processes: () => outage.processes,
      supply: async (count, least, far) => {
        try {
          return await this.#supply(key, { count, least, far, mark })
        } catch (error) {
          // What was reserved ahead of demand must not be used then.
          if (this.#rules.ahead > 0) tokens.drop()
          throw error
        }
      },
      giveBack: count => this.#giveBack(key, count, mark),
      idle: () => this.#forget(key, tokens),
    })
    this.#buckets.set(key, { tokens, mark })
    return tokens
  }

  /** Counts tokens that were reserved ahead and passed without a call. */
  count(cost: number): void {
    this.#granted += cost
  }

  async refund(key: string, cost: number): Promise<void> {
    checkRefund(cost, this.#granted)
    this.#granted -= cost
    this.#refunded += cost
    const alone = Math.min(cost, this.#ledger.get(key) ?? 0)
    if (alone > 0 && this.limit.outage.mode !== 'open') this.#share.refund(key, alone)
    await this.#return(key, cost, this.#buckets.get(key)?.mark)
  }

  async penalize(key: string, cost: number): Promise<void> {
    this.#follow(key, await this.#store.penalize(key, cost))
  }

  async block(key: string, ms: number): Promise<void> {
    this.#follow(key, await this.#store.block(key, ms))
  }

  async reset(key: string): Promise<void> {
    this.#ledger.delete(key)
    const mark = this.#buckets.get(key)?.mark
    if (mark !== undefined) Object.assign(mark, newMark())
    this.#follow(key, await this.#store.reset(key))
    this.#buckets.get(key)?.tokens.poke()
  }

  async get(key: string): Promise<Decision> {
    const answer = await this.#store.get(key)
    const decision = this.#toDecision(key, answer)
    const { interval } = answer
    const retryAfter = Math.max(0, (1 - answer.available) * interval)
    return { ...decision, allowed: retryAfter === 0, retryAfter }
  }

  stats(): SharedBucketsStats {
    const stats: SharedBucketsStats = {
      ...this.limit.stats(),
      granted: this.#granted,
      refused: this.#refused,
      refunded: this.#refunded,
      waiting: 0,
      timeouts: this.#timeouts,
      aborts: this.#aborts,
    }
    for (const { tokens } of this.#buckets.values()) {
      stats.waiting += tokens.waiting
      stats.refused += tokens.refused
      stats.timeouts += tokens.timeouts
      stats.aborts += tokens.aborts
    }
    return stats
  }

  /** Rejects all that waits; resolves when what was reserved for it has been given back, as far as that can be told. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(Array.from(this.#buckets.values(), ({ tokens }) => tokens.close()))
    await Promise.all(this.#returning)
    this.limit.outage.close()
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Whether a bucket can ever hold so much. */
  fits(cost: number): boolean {
    return typeof cost === 'number' && cost >= 0 && cost <= this.burst
  }

  #check(cost: number): void {
    if (this.fits(cost)) return
    throw new InvalidOptionError('cost', `a number from 0 to the burst of ${this.burst}`, cost)
  }

  /** The account of a bucket that nothing waits for; where there is one only it is kept, with what is known of it. */
  #forget(key: string, tokens: ReservedTokens): void {
    if (tokens.left > 0 || this.#rules.maxKeys === 1) return
    if (this.#buckets.get(key)?.tokens !== tokens) return
    this.#refused += tokens.refused
    this.#timeouts += tokens.timeouts
    this.#aborts += tokens.aborts
    this.#buckets.delete(key)
  }

  async #acquireNow(key: string, cost: number): Promise<Admission> {
    const { allowed, retryAfter } = await this.decide(key, cost)
    if (!allowed) throw new RateLimitedError(this.limit.name, retryAfter)
    return { waited: 0 }
  }

  #reserve(key: string, cost: number): Promise<BucketAnswer> {
    const wish = { tokens: cost, least: cost, near: 0, far: 0 }
    const late = (granted: number) => this.#owe(key, -granted)
    return this.#store.reserve(key, wish, late, this.#buckets.get(key)?.mark)
  }

  /** What is owed below 0 was given when nothing waited for it any more: what passed alone is made up for by it first. */
  #owe(key: string, cost: number): void {
    this.limit.outage.owe(key, cost)
  }

  #supply(
    key: string,
    wish: {
      count: number
      least: number
      far: number
      mark: BucketMark
    },
  ): Promise<Supply> {
    const { count, least, far, mark } = wish
    const ahead = Math.max(NEAR, 2 * this.#rules.ahead)
    const near = far > 0 ? Math.min(far, ahead) : ahead
    return this.limit.outage.bridge(
      async () => {
        const late = (granted: number) => this.#owe(key, -granted)
        const shared = this.#takeShare(key, least, count)
        if (shared === 0) return this.#shareSpent(key, least, far)
        const tokens = shared ?? count
        const request = { tokens, least, near, far: Math.max(far, near) }
        const answer = await this.#store.reserve(key, request, late, mark).catch(error => {
          this.#share.refund(key, shared ?? 0)
          throw error
        })
        const { granted, first, interval, wait } = answer
        if (shared !== undefined) this.#share.refund(key, shared - Math.max(0, granted))
        this.#follow(key, answer)
        if (granted > 0) return { tokens: granted, first, interval, wait: 0, again: 0 }
        return { tokens: 0, first: 0, interval, wait, again: far > 0 ? Infinity : wait - near }
      },
      error => this.#supplyAlone(key, wish, error),
      key,
    )
  }

  #supplyAlone(
    key: string,
    wish: { count: number; least: number; far: number },
    error: Error,
  ): Supply {
    const { count, least, far } = wish
    const now = this.limit.clock.now()
    const interval = 1_000 / this.rate
    if (this.limit.outage.mode === 'open') {
      this.#owe(key, count)
      return { tokens: count, first: -count * interval, interval, wait: 0, again: 0 }
    }
    if (least > this.#share.burst) throw error
    if (this.#share.tryTake(key, least, now)) {
      this.#owe(key, least)
      return { tokens: least, first: -least * interval, interval, wait: 0, again: 0 }
    }
    return this.#shareSpent(key, least, far)
  }

  #shareSpent(key: string, least: number, far: number): Supply {
    const wait = this.#share.waitFor(key, least, this.limit.clock.now())
    // Not for longer than until Redis may be back, which has tokens that are nobody's share.
    const again = far > 0 && wait > far ? Infinity : Math.min(wait, this.limit.guard.cooldown)
    return { tokens: 0, first: 0, interval: 1_000 / this.rate, wait, again }
  }

  /**
   * Takes tokens of this process' share, which bounds what it takes of the store while an outage is not over for all.
   *
   * @returns how many; 0 where the share does not hold the least; undefined where it bounds nothing
   */
  #takeShare(key: string, least: number, most: number): number | undefined {
    if (least === 0 || this.limit.outage.recovery === 0) return undefined
    return this.#share.takeUpTo(key, least, most, this.limit.clock.now())
  }

  /** Tells Redis of what passed without it. @throws (by rejection) {LimitStoreUnavailableError}: it is told again */
  async #debit(key: string, spent: number): Promise<void> {
    const entered = await this.#store.debit(key, spent, late => this.#owe(key, -late))
    // What the bucket could not hold is forgiven, and with it what came back before: answers keep the order of calls.
    const credit = -(this.#ledger.get(key) ?? 0)
    if (credit > 0) this.#ledger.add(key, Math.min(credit, spent - entered))
  }

  /**
   * Gives tokens back at most once: repeated because its answer was lost, it would let too many pass.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} if the call was not even sent
   */
  async #credit(key: string, tokens: number, mark?: BucketMark): Promise<void> {
    const { guard } = this.limit
    const before = guard.trips
    const refund = this.#store.refund(key, tokens, mark)
    const sent = guard.trips > before
    await refund.catch(error => {
      if (!sent) throw error
    })
  }

  /** Gives tokens back to Redis now, or as soon as it is there and knows of what passed alone before. */
  async #return(key: string, tokens: number, mark?: BucketMark): Promise<void> {
    if (this.#ledger.get(key) !== undefined) return this.#owe(key, -tokens)
    try {
      await this.#credit(key, tokens, mark)
    } catch (error) {
      if (!(error instanceof LimitStoreUnavailableError)) throw error
      this.#owe(key, -tokens)
    }
  }

  #giveBack(key: string, tokens: number, mark: BucketMark): void {
    const returning = this.#return(key, tokens, mark).finally(() =>
      this.#returning.delete(returning),
    )
    this.#returning.add(returning)
  }

  #follow(key: string, { available }: BucketAnswer): void {
    // Until an outage is over the store does not know what others have passed in it.
    if (this.limit.outage.recovery > 0) return
    this.#share.follow(key, available, this.limit.clock.now())
  }

  async #decideTogether(key: string, cost: number): Promise<Decision> {
    const shared = this.#takeShare(key, cost, cost)
    if (shared === 0) return this.#share.decide(key, cost, this.limit.clock.now())
    let allowed = false
    try {
      const decision = this.#toDecision(key, await this.#reserve(key, cost))
      allowed = decision.allowed
      return decision
    } finally {
      if (shared !== undefined && !allowed) this.#share.refund(key, shared)
    }
  }

  #toDecision(key: string, answer: BucketAnswer): Decision {
    this.#follow(key, answer)
    const { granted, wait, available, burst, interval } = answer
    return {
      allowed: granted >= 0,
      limit: burst,
      remaining: Math.max(0, available),
      resetAfter: Math.max(0, (burst - available) * interval),
      retryAfter: granted >= 0 ? 0 : wait,
    }
  }

  #decideAlone(key: string, cost: number, error: Error): Decision {
    let decision: Decision
    if (this.limit.outage.mode === 'open') {
      decision = { allowed: true, limit: this.burst, remaining: 0, resetAfter: 0, retryAfter: 0 }
    } else {
      if (cost > this.#share.burst) throw error
      decision = this.#share.decide(key, cost, this.limit.clock.now())
    }
    if (decision.allowed) this.#owe(key, cost)
    return decision
  }
}
