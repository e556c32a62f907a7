import { checkInteger, checkPositive, checkRange, InvalidOptionError } from '@millrace/kit'
import { LONGEST } from '../../limiter/longest.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import { checkLimits } from '../../meter/token-bucket-limits.ts'
import {
  type AcquireOptions,
  type Admission,
  checkAcquireOptions,
} from '../../wait/acquire-options.ts'
import { checkPriority, DEFAULT_PRIORITY } from '../../wait/order/priority-order.ts'
import type { WaitCounts } from '../../wait/wait-totals.ts'
import { RedisLimit } from '../limit/redis-limit.ts'
import { SharedRate } from '../limit/shared-rate.ts'
import { Ledger } from '../outage/ledger.ts'
import { LocalShare } from '../outage/local-share.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import { type BucketAnswer, type BucketMark, BucketStore, newMark } from '../stores/bucket-store.ts'
import { BucketAccounts } from './bucket-accounts.ts'
import type { SharedBucketsOptions } from './bucket-options.ts'
import { BucketSupply } from './bucket-supply.ts'
import { GRACE, NEAR, ReservedTokens } from './reserved-tokens.ts'

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
export class SharedBuckets<Mode extends OutageMode> extends SharedRate<Mode, number> {
  readonly limit: RedisLimit<Mode, number>
  readonly rate: number
  readonly burst: number
  readonly #store: BucketStore
  readonly #rules: SharedBucketsRules<Mode>
  readonly #maxWait: number
  readonly #ledger: Ledger<number>
  readonly #accounts: BucketAccounts
  readonly #supply: BucketSupply
  readonly #share: LocalShare
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: SharedBucketsOptions, rules: SharedBucketsRules<Mode>) {
    super('')
    const { rate, maxWait = 60_000 } = options
    this.rate = rate
    this.burst = checkLimits(options).burst
    this.#rules = rules
    this.#maxWait = checkPositive('maxWait', maxWait)
    checkInteger('maxKeys', rules.maxKeys, 1)
    this.#ledger = new Ledger<number>({
      tell: (key, spent) => this.#accounts.tell(key, spent, this.#buckets.get(key)?.mark),
      merge: (spent, later) => spent + later,
      amount: spent => Math.max(0, spent),
      maxKeys: rules.maxKeys,
    })
    const refill = Math.min(LONGEST, (this.burst / rate) * 1_000)
    this.limit = new RedisLimit(options, {
      ...rules,
      divided: ['local', 'lease'] as OutageMode[] as Mode[],
      ledger: this.#ledger,
      clocks: { missing: refill, kept: refill },
    })
    const { guard, clock, clocks, peers, outage } = this.limit
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
      clocks,
      rate,
      burst: this.burst,
      reserved: () => (outage.divided && peers.most === 1 ? 0 : NEAR),
      overruled: (per, most) =>
        // Redis holds an interval: its inverse differs from what was asked in the last digits.
        this.limit.overruled(`rate ${Number(per.toPrecision(12))}, burst ${most}`),
    })
    this.#accounts = new BucketAccounts({
      ledger: this.#ledger,
      store: this.#store,
      limit: this.limit,
    })
    this.#supply = new BucketSupply({
      store: this.#store,
      share: this.#share,
      accounts: this.#accounts,
      limit: this.limit,
      ahead: rules.ahead,
      rate,
    })
  }

  async decide(key: string, cost: number): Promise<Decision> {
    this.#check(cost)
    this.checkOpen()
    const decision = await this.limit.outage.bridge(
      () => this.#decideTogether(key, cost),
      error => this.#decideAlone(key, cost, error),
      key,
    )
    return this.counted(cost, decision)
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
    this.checkOpen()
    options?.signal?.throwIfAborted()
    const timeout = Math.min(options?.timeout ?? Infinity, this.#maxWait)
    if (timeout === 0) return this.acquireNow(key, cost)
    // What was reserved ahead may be taken without a call, what a bucket owes is told first.
    const admission = await this.bucket(key).acquire(cost, {
      ...options,
      cost,
      timeout: timeout + GRACE,
    })
    this.count(cost)
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
          return await this.#supply.supply(key, { count, least, far, mark })
        } catch (error) {
          // What was reserved ahead of demand must not be used then.
          if (this.#rules.ahead > 0) tokens.drop()
          throw error
        }
      },
      giveBack: count => this.#accounts.giveBack(key, count, mark),
      idle: () => this.#forget(key, tokens),
    })
    this.#buckets.set(key, { tokens, mark })
    return tokens
  }

  async refund(key: string, cost: number): Promise<void> {
    this.countRefund(cost, this.burst)
    const alone = Math.min(cost, this.#ledger.get(key) ?? 0)
    if (alone > 0 && this.limit.outage.mode !== 'open') {
      this.#share.refund(key, alone, this.limit.clock.now())
    }
    await this.#accounts.return(key, cost, this.#buckets.get(key)?.mark)
  }

  async penalize(key: string, cost: number): Promise<void> {
    checkRange('cost', cost, 0, (LONGEST * this.rate) / 1_000)
    this.#supply.follow(key, await this.#store.penalize(key, cost))
  }

  async block(key: string, ms: number): Promise<void> {
    if (ms > 0) this.#follow(key, await this.#store.block(key, ms))
  }

  async reset(key: string): Promise<void> {
    this.#ledger.delete(key)
    const mark = this.#buckets.get(key)?.mark
    if (mark !== undefined) Object.assign(mark, { slot: 0, due: 0, writes: 0 })
    this.#supply.follow(key, await this.#store.reset(key))
    this.#buckets.get(key)?.tokens.poke()
  }

  async get(key: string): Promise<Decision> {
    this.checkOpen()
    const answer = await this.#store.get(key)
    const decision = this.#toDecision(key, answer)
    const { nextAfter } = decision
    return { ...decision, allowed: nextAfter === 0, retryAfter: nextAfter! }
  }

  /** Rejects all that waits; resolves when what was reserved for it has been given back, as far as that can be told. */
  override async close(): Promise<void> {
    this.shut()
    await Promise.all(Array.from(this.#buckets.values(), ({ tokens }) => tokens.close()))
    await this.#accounts.returned()
    this.limit.outage.close()
  }

  /** Whether a bucket can ever hold so much. */
  fits(cost: number): boolean {
    return typeof cost === 'number' && cost >= 0 && cost <= this.burst
  }

  protected override queues(): WaitCounts[] {
    return Array.from(this.#buckets.values(), ({ tokens }) => tokens.counts)
  }

  #check(cost: number): void {
    if (this.fits(cost)) return
    throw new InvalidOptionError('cost', `a number from 0 to the burst of ${this.burst}`, cost)
  }

  /** The account of a bucket that nothing waits for; where there is one only it is kept, with what is known of it. */
  #forget(key: string, tokens: ReservedTokens): void {
    if (tokens.left > 0 || this.#rules.maxKeys === 1) return
    if (this.#buckets.get(key)?.tokens !== tokens) return
    this.retire(tokens.counts)
    this.#buckets.delete(key)
  }

  #reserve(key: string, cost: number): Promise<BucketAnswer> {
    const wish = { tokens: cost, least: cost, near: 0, far: 0 }
    const late = (granted: number) => this.#accounts.owe(key, -granted)
    return this.#store.reserve(key, wish, late, this.#buckets.get(key)?.mark)
  }

  async #decideTogether(key: string, cost: number): Promise<Decision> {
    const shared = this.#supply.takeShare(key, cost, cost)
    if (shared === 0) return this.#share.decide(key, cost, this.limit.clock.now())
    let allowed = false
    try {
      const decision = this.#toDecision(key, await this.#reserve(key, cost))
      allowed = decision.allowed
      return decision
    } finally {
      if (shared !== undefined && !allowed) {
        this.#share.refund(key, shared, this.limit.clock.now())
      }
    }
  }

  /** Has what was reserved for the time of a block asked for anew. */
  #follow(key: string, answer: BucketAnswer): void {
    this.#supply.follow(key, answer)
    if (answer.blocked === 0) return
    this.#buckets.get(key)?.tokens.recall(this.limit.clock.now() + answer.blocked)
  }

  #toDecision(key: string, answer: BucketAnswer): Decision {
    this.#follow(key, answer)
    const { granted, wait, available, burst, interval, blocked } = answer
    return {
      allowed: granted >= 0,
      limit: burst,
      remaining: Math.max(0, available),
      resetAfter: Math.max(0, (burst - available) * interval, blocked),
      retryAfter: granted >= 0 ? 0 : wait,
      nextAfter: Math.max(0, (Math.min(1, burst) - available) * interval, blocked),
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
    if (decision.allowed) this.#accounts.owe(key, cost)
    return decision
  }
}
