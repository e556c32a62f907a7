import { checkPositive, checkText } from '@millrace/kit'
import type { Clock } from '../../clock.ts'
import {
  InvalidOptionError,
  LimiterClosedError,
  LimitStoreUnavailableError,
  RateLimitedError,
} from '../../errors.ts'
import { KeyedLimiter } from '../../keyed/keyed-limiter.ts'
import { NO_WAIT } from '../../limiter/no-wait.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import type { AcquireOptions, Admission } from '../../wait/acquire-options.ts'
import { checkAcquireOptions } from '../../wait/acquire-options.ts'
import { publishRefusal, publishWait } from '../../wait/channels.ts'
import { checkPriority, DEFAULT_PRIORITY } from '../../wait/priority-order.ts'
import type { RedisClient } from '../client/redis-client.ts'
import type { StoreGuardOptions } from '../client/store-guard.ts'
import { Ledger } from '../outage/ledger.ts'
import { Outage } from '../outage/outage.ts'
import { type OutageMode, outageOptions } from '../outage/outage-mode.ts'
import { Peers } from '../outage/peers.ts'
import { BucketStore, type Reservation } from '../stores/bucket-store.ts'
import { Sleepers } from './sleepers.ts'

/** Options that all limiters of buckets in Redis have. */
export interface SharedBucketsOptions extends StoreGuardOptions {
  /** An ioredis `Redis` or `Cluster`. It is not closed with the limiter. */
  readonly client: RedisClient
  /** Which limit: processes that give the same id, rate and burst share it. */
  readonly id: string
  /** Tokens per second, of all processes together; above 0. */
  readonly rate: number
  /** The most tokens that can be saved up; above 0. Default: `rate`, at least 1. */
  readonly burst?: number | undefined
  /** Before the id in Redis; default `'millrace:limit'`. */
  readonly prefix?: string | undefined
  /** The longest anybody may wait, in ms, and the timeout of callers that give none; default 60,000. */
  readonly maxWait?: number | undefined
  /** As how many processes this one counts itself until it has heard from Redis, for its local share; default 1. */
  readonly processes?: number | undefined
  /** In errors, statistics and diagnostics; default the id. */
  readonly name?: string | undefined
  readonly clock?: Clock | undefined
}

/** Statistics that all of them have. */
export interface SharedBucketsStats {
  /** Tokens handed out by this process, without those refunded. */
  granted: number
  refused: number
  refunded: number
  waiting: number
  aborts: number
  /** Calls to Redis. */
  trips: number
  /** Calls that Redis did not answer, or that were not made because it was known to be down. */
  unavailable: number
  /** 1 while Redis is not available, else 0. */
  down: number
  /** Tokens that passed without Redis and that it does not know of yet. */
  unsettled: number
  /** Processes that share the limit, as far as known. */
  processes: number
}

interface Rules<Mode extends OutageMode> {
  clock: Clock
  whenDown: Mode
  modes: readonly Mode[]
  /** The most keys kept in this process during an outage; default 100,000. */
  maxKeys?: number | undefined
}

/**
 * Token buckets in Redis by their keys there, with everything around a call: the sleep until a reserved slot, the way
 * back on abort, and the process' own share while Redis is away.
 */
export class SharedBuckets<Mode extends OutageMode> {
  readonly name: string
  readonly rate: number
  readonly burst: number
  readonly store: BucketStore
  readonly outage: Outage<Mode, number>
  readonly peers: Peers
  readonly #clock: Clock
  readonly #maxWait: number
  readonly #sleepers: Sleepers
  readonly #ledger: Ledger<number>
  readonly #local: KeyedLimiter
  #dividedBy = 1
  #closed = false
  #granted = 0
  #refused = 0
  #refunded = 0
  #aborts = 0

  constructor(
    {
      client,
      id,
      rate,
      burst = Math.max(1, rate),
      prefix = 'millrace:limit',
      maxWait = 60_000,
      processes: expected,
      name = id,
      clock: _,
      ...guard
    }: SharedBucketsOptions,
    { clock, whenDown, modes, maxKeys = 100_000 }: Rules<Mode>,
  ) {
    this.name = name
    checkText('id', id)
    this.rate = checkPositive('rate', rate)
    this.burst = checkPositive('burst', burst)
    this.#clock = clock
    this.#maxWait = checkPositive('maxWait', maxWait)
    this.#sleepers = new Sleepers(clock)
    this.#local = new KeyedLimiter({ rate, burst, maxKeys, name, clock })
    this.store = new BucketStore({ client, name, clock, rate, burst, maxWait, ...guard })
    this.#ledger = new Ledger<number>({
      tell: (key, spent) => (spent < 0 ? this.#credit(key, -spent) : this.#debit(key, spent)),
      merge: (spent, later) => spent + later,
      amount: spent => Math.max(0, spent),
      maxKeys,
    })
    const { mode, processes } = outageOptions({ whenDown, processes: expected }, modes)
    // The braces put all keys of one limit into one slot of a Cluster.
    this.peers = new Peers(`${prefix}:{${id}}:peers`, this.store.guard, clock, processes)
    this.outage = new Outage({
      mode,
      ledger: this.#ledger,
      peers: mode === 'local' || mode === 'lease' ? this.peers : undefined,
      clock,
      retryAfter: this.store.guard.cooldown,
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  async decide(key: string, cost: number): Promise<Decision> {
    this.#check(cost)
    const decision = await this.outage.bridge(
      async () => this.#toDecision(await this.#ask(key, cost, 0)),
      error => this.#decideAlone(key, cost, error),
      key,
    )
    if (decision.allowed) this.#granted += cost
    else {
      this.#refused++
      publishRefusal(this.name, cost, decision.retryAfter)
    }
    return decision
  }

  /** @param reserve how a token is had from the store; default by a reservation of its own */
  async acquire(
    key: string,
    cost: number,
    options: AcquireOptions | undefined,
    reserve: () => Promise<Admission> = () => this.#reserve(key, cost, options),
  ): Promise<Admission> {
    this.#check(cost)
    if (options !== undefined) {
      checkAcquireOptions(options)
      checkPriority(options.priority ?? DEFAULT_PRIORITY)
    }
    if (this.#closed) throw new LimiterClosedError(this.name)
    options?.signal?.throwIfAborted()
    const admission = await this.outage.bridge(
      reserve,
      error => this.#acquireAlone(key, cost, options, error),
      key,
    )
    this.#granted += cost
    return admission
  }

  /** Counts tokens that were reserved ahead and passed without a call. */
  count(cost: number): void {
    this.#granted += cost
  }

  async refund(key: string, cost: number): Promise<void> {
    if (!(cost >= 0 && cost <= this.#granted)) {
      throw new InvalidOptionError('cost', `a number from 0 to the ${this.#granted} granted`, cost)
    }
    this.#granted -= cost
    this.#refunded += cost
    const alone = Math.min(cost, this.#ledger.get(key) ?? 0)
    if (alone > 0 && this.outage.mode !== 'open') this.#local.refund(key, alone)
    await this.#return(key, cost)
  }

  /** Notes tokens that Redis gave when nobody waited for them any more: what passed alone is made up for by them first. */
  returnLate(key: string, cost: number): void {
    this.outage.owe(key, -cost)
  }

  /** Gives back what nobody waits for any more. */
  giveBack(key: string, cost: number): void {
    void this.#return(key, cost)
  }

  stats(): SharedBucketsStats {
    return {
      granted: this.#granted,
      refused: this.#refused,
      refunded: this.#refunded,
      waiting: this.#sleepers.size + this.#local.stats().waiting,
      aborts: this.#aborts,
      trips: this.store.guard.trips,
      unavailable: this.store.guard.unavailable,
      down: this.store.guard.down ? 1 : 0,
      unsettled: this.outage.owed,
      processes: this.peers.count,
    }
  }

  close(): void {
    this.#closed = true
    this.outage.close()
    this.#sleepers.rejectAll(() => new LimiterClosedError(this.name))
    this.#local[Symbol.dispose]()
  }

  /** Whether a bucket can ever hold so much. */
  fits(cost: number): boolean {
    return typeof cost === 'number' && cost >= 0 && cost <= this.burst
  }

  #check(cost: number): void {
    if (this.fits(cost)) return
    throw new InvalidOptionError('cost', `a number from 0 to the burst of ${this.burst}`, cost)
  }

  /** Tells Redis of what passed without it. @throws (by rejection) {LimitStoreUnavailableError}: it is told again */
  async #debit(key: string, spent: number): Promise<void> {
    const entered = await this.store.debit(key, spent, late => this.returnLate(key, late))
    // What the bucket could not hold is forgiven, and with it what came back before: answers keep the order of calls.
    const credit = -(this.#ledger.get(key) ?? 0)
    if (credit > 0) this.#ledger.add(key, Math.min(credit, spent - entered))
  }

  /**
   * Gives tokens back at most once: repeated because its answer was lost, it would let too many pass.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} if the call was not even sent
   */
  async #credit(key: string, tokens: number): Promise<void> {
    const { guard } = this.store
    const before = guard.trips
    const refund = this.store.refund(key, tokens)
    const sent = guard.trips > before
    await refund.catch(error => {
      if (!sent) throw error
    })
  }

  /** Gives tokens back to Redis now, or as soon as it is there and knows of what passed alone before. */
  async #return(key: string, tokens: number): Promise<void> {
    if (this.#ledger.get(key) !== undefined) return this.outage.owe(key, -tokens)
    try {
      await this.#credit(key, tokens)
    } catch (error) {
      if (!(error instanceof LimitStoreUnavailableError)) throw error
      this.outage.owe(key, -tokens)
    }
  }

  #ask(key: string, cost: number, maxWait: number): Promise<Reservation> {
    return this.store.reserve(key, cost, maxWait, () => this.returnLate(key, cost))
  }

  #reserve(key: string, cost: number, options: AcquireOptions | undefined): Promise<Admission> {
    const { priority = DEFAULT_PRIORITY, timeout = Infinity, signal } = options ?? {}
    return publishWait(this.name, cost, priority, this.#clock, async () => {
      const since = this.#clock.now()
      const most = Math.min(timeout, this.#maxWait)
      const { granted, wait } = await this.#ask(key, cost, most)
      if (!granted) throw this.#refuse(cost, wait)
      try {
        signal?.throwIfAborted()
        if (this.#closed) throw new LimiterClosedError(this.name)
        if (wait > 0) await this.#sleepers.sleep(wait, signal)
      } catch (error) {
        this.#aborts++
        this.giveBack(key, cost)
        throw error
      }
      return { waited: this.#clock.now() - since }
    })
  }

  #refuse(cost: number, wait: number): RateLimitedError {
    this.#refused++
    const error = new RateLimitedError(this.name, wait)
    publishRefusal(this.name, cost, wait, error)
    return error
  }

  #toDecision({ granted, wait, available }: Reservation): Decision {
    return {
      allowed: granted,
      limit: this.burst,
      remaining: Math.max(0, available),
      resetAfter: Math.max(0, ((this.burst - available) * 1_000) / this.rate),
      retryAfter: granted ? 0 : wait,
    }
  }

  #decideAlone(key: string, cost: number, error: Error): Decision {
    let decision: Decision
    if (this.outage.mode === 'open') {
      decision = { allowed: true, limit: this.burst, remaining: 0, resetAfter: 0, retryAfter: 0 }
    } else decision = this.#shareFor(cost, error).decide(key, cost)
    if (decision.allowed) this.outage.owe(key, cost)
    return decision
  }

  async #acquireAlone(
    key: string,
    cost: number,
    options: AcquireOptions | undefined,
    error: Error,
  ): Promise<Admission> {
    const admission =
      this.outage.mode === 'open'
        ? await NO_WAIT
        : await this.#shareFor(cost, error).acquire(key, cost, options)
    this.outage.owe(key, cost)
    return admission
  }

  /** This process' share of every bucket. @throws the store's error for a cost that does not fit into it */
  #shareFor(cost: number, error: Error): KeyedLimiter {
    const { processes } = this.outage
    if (processes !== this.#dividedBy) {
      this.#dividedBy = processes
      // A share of the burst that no longer held one call would stop a process altogether.
      const burst = Math.max(Math.min(1, this.burst), this.burst / processes)
      this.#local.setLimits({ rate: this.rate / processes, burst })
    }
    if (cost > this.#local.burst) throw error
    return this.#local
  }
}
