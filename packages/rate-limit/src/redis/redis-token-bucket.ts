import { randomUUID } from 'node:crypto'
import { publishRefusal, publishWait } from '../channels.ts'
import { type Clock, systemClock } from '../clock.ts'
import {
  InvalidOptionError,
  LimiterClosedError,
  RateLimitedError,
  StoreUnavailableError,
} from '../errors.ts'
import { NO_WAIT } from '../limiter/no-wait.ts'
import type { AcquireOptions, Admission, Decision } from '../limiter/rate-limiter.ts'
import { nonNegative, positive } from '../option-checks.ts'
import { DEFAULT_PRIORITY } from '../wait/priority-order.ts'
import { BucketStore } from './bucket-store.ts'
import { LeasedTokens } from './leased-tokens.ts'
import { Outage, type OutageMode } from './outage.ts'
import type { RedisClient } from './redis-client.ts'
import { Sleepers } from './sleepers.ts'
import type { StoreGuardOptions } from './store-guard.ts'

export interface RedisTokenBucketOptions extends StoreGuardOptions {
  /** An ioredis `Redis` or `Cluster`. It is not closed with the limiter. */
  client: RedisClient
  /** Which limit: processes that give the same id, rate and burst share it. */
  id: string
  /** Tokens per second, of all processes together; above 0. */
  rate: number
  /** The most tokens that can be saved up; above 0. Default: `rate`, at least 1. */
  burst?: number | undefined
  /** Before the id in Redis; default `'millrace:limit:'`. */
  prefix?: string | undefined
  /** The longest anybody may wait, in ms, and the timeout of callers that give none; default 60,000. */
  maxWait?: number | undefined
  /**
   * Reserves tokens for so many ms ahead in one call, as far as they are in demand; default 0: one call per permit.
   * At rates where a process' share would be fewer than five tokens it reserves one by one all the same.
   */
  lease?: number | undefined
  /** What happens while Redis is not available; default `'local'`. */
  whenDown?: OutageMode | undefined
  /** In errors, statistics and diagnostics; default the id. */
  name?: string | undefined
  clock?: Clock | undefined
}

export interface RedisTokenBucketStats {
  /** Tokens handed out by this process. */
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
  /** Tokens reserved ahead and not used yet. */
  leased: number
  /** Processes that share the limit, as far as known. */
  clients: number
}

/**
 * A token bucket that processes share through Redis.
 *
 * One script reads the server's clock, reserves the next slot and answers with the time until it: the caller sleeps here,
 * first come, first served over all processes, without polling. Slots are given back on abort. With `lease` a process
 * reserves many slots at once and hands them out itself: grants never exceed the rate over the length of a lease, and
 * the burst grows by the leases that are not used up.
 */
export class RedisTokenBucket {
  readonly name: string
  readonly #clock: Clock
  readonly #store: BucketStore
  readonly #key: string
  readonly #clientsKey: string
  readonly #burst: number
  readonly #interval: number
  readonly #maxWait: number
  readonly #outage: Outage
  readonly #sleepers: Sleepers
  readonly #leased: LeasedTokens | undefined
  readonly #identity = randomUUID()
  #countedAt = -Infinity
  #settling: Promise<void> | undefined = undefined
  #closed = false
  #granted = 0
  #refused = 0
  #refunded = 0
  #aborts = 0

  constructor({
    client,
    id,
    rate,
    burst = Math.max(1, rate),
    prefix = 'millrace:limit:',
    maxWait = 60_000,
    lease = 0,
    whenDown = 'local',
    name = id,
    clock = systemClock,
    ...guard
  }: RedisTokenBucketOptions) {
    if (typeof id !== 'string' || id === '') {
      throw new InvalidOptionError('id', 'a string that is not empty', id)
    }
    this.name = name
    this.#clock = clock
    this.#interval = 1_000 / positive('rate', rate)
    this.#burst = positive('burst', burst)
    this.#maxWait = positive('maxWait', maxWait)
    // The braces put both keys into one slot of a Cluster.
    this.#key = `${prefix}{${id}}`
    this.#clientsKey = `${prefix}{${id}}:clients`
    this.#outage = new Outage(whenDown, rate, burst, clock, name)
    this.#sleepers = new Sleepers(clock)
    this.#store = new BucketStore({ client, name, clock, rate, burst, maxWait, ...guard })
    if (nonNegative('lease', lease) > 0) {
      this.#leased = new LeasedTokens({
        name,
        clock,
        interval: this.#interval,
        duration: lease,
        clients: () => this.#outage.clients,
        reserve: count => this.#lease(count),
        refund: count => this.#giveBack(count),
      })
    }
  }

  /**
   * Spends `cost` if that is possible now.
   *
   * @throws (by rejection) {StoreUnavailableError} where `whenDown` is `'closed'`; {InvalidOptionError} if `cost` is more
   *   than the bucket can ever hold
   */
  async tryAcquire(cost = 1): Promise<boolean> {
    return (await this.decide(cost)).allowed
  }

  /** {@link tryAcquire} with all that a response header or a log line needs. */
  async decide(cost = 1): Promise<Decision> {
    this.#checkCost(cost)
    if (this.#leased?.tryTake(cost)) {
      this.#granted += cost
      return this.#decision({ granted: true, wait: 0, available: this.#leased.left })
    }
    try {
      return this.#decision(await this.#reserve(cost, 0), cost)
    } catch (error) {
      return this.#decideDuringOutage(cost, error)
    }
  }

  /**
   * Spends `cost`, after waiting for its turn if need be.
   *
   * @throws (by rejection) {RateLimitedError} at once, if the wait is known to exceed `timeout` or `maxWait`;
   *   `signal.reason` on abort, the token being given back; {StoreUnavailableError} where `whenDown` is `'closed'`;
   *   {InvalidOptionError}; {LimiterClosedError}
   */
  acquire(cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(options?: AcquireOptions): Promise<Admission>
  acquire(first?: number | AcquireOptions, second?: AcquireOptions): Promise<Admission> {
    const options = typeof first === 'object' ? first : second
    const cost = (typeof first === 'number' ? first : options?.cost) ?? 1
    if (!this.#closed && !options?.signal?.aborted && this.#leased?.tryTake(cost)) {
      this.#granted += cost
      return NO_WAIT
    }
    return this.#wait(cost, options)
  }

  /** Gives back what was granted but not used. */
  async refund(cost = 1): Promise<void> {
    if (!(cost >= 0 && cost <= this.#granted)) {
      throw new InvalidOptionError('cost', `a number from 0 to the ${this.#granted} granted`, cost)
    }
    this.#granted -= cost
    this.#refunded += cost
    await this.#store.refund(this.#key, cost)
  }

  stats(): RedisTokenBucketStats {
    return {
      granted: this.#granted,
      refused: this.#refused + (this.#leased?.refused ?? 0),
      refunded: this.#refunded,
      waiting:
        this.#sleepers.size + (this.#leased?.waiting ?? 0) + this.#outage.share.stats().waiting,
      aborts: this.#aborts + (this.#leased?.aborts ?? 0),
      trips: this.#store.guard.trips,
      unavailable: this.#store.guard.unavailable,
      down: this.#store.guard.down ? 1 : 0,
      unsettled: this.#outage.spent,
      leased: this.#leased?.left ?? 0,
      clients: this.#outage.clients,
    }
  }

  /** Rejects all who wait with {@link LimiterClosedError} and gives back what this process had reserved. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#sleepers.rejectAll(() => new LimiterClosedError(this.name))
    this.#outage.share[Symbol.dispose]()
    await this.#leased?.close()
  }

  async #wait(cost: number, options: AcquireOptions | undefined): Promise<Admission> {
    this.#checkCost(cost)
    if (options?.timeout !== undefined) nonNegative('timeout', options.timeout)
    if (this.#closed) throw new LimiterClosedError(this.name)
    options?.signal?.throwIfAborted()
    const priority = options?.priority ?? DEFAULT_PRIORITY
    return publishWait(this.name, cost, priority, this.#clock, async () => {
      try {
        const admission = await this.#fromStore(cost, options)
        this.#granted += cost
        return admission
      } catch (error) {
        return this.#waitDuringOutage(cost, options, error)
      }
    })
  }

  async #fromStore(cost: number, options: AcquireOptions | undefined): Promise<Admission> {
    if (this.#leased?.worthwhile) {
      return this.#leased.acquire(cost, options)
    }
    const since = this.#clock.now()
    const timeout = Math.min(options?.timeout ?? Infinity, this.#maxWait)
    const { granted, wait } = await this.#reserve(cost, timeout)
    if (!granted) {
      this.#refused++
      const error = new RateLimitedError(this.name, wait)
      publishRefusal(this.name, cost, wait, error)
      throw error
    }
    try {
      options?.signal?.throwIfAborted()
      if (this.#closed) throw new LimiterClosedError(this.name)
      if (wait > 0) await this.#sleepers.sleep(wait, options?.signal)
    } catch (error) {
      this.#aborts++
      this.#giveBack(cost)
      throw error
    }
    return { waited: this.#clock.now() - since }
  }

  async #waitDuringOutage(
    cost: number,
    options: AcquireOptions | undefined,
    error: unknown,
  ): Promise<Admission> {
    if (!(error instanceof StoreUnavailableError)) throw error
    const { mode, share } = this.#outage
    // A share of the burst may be too small for this cost: then it cannot pass without the store.
    if (mode === 'closed' || cost > share.stats().burst) throw error
    const admission = mode === 'open' ? await NO_WAIT : await share.acquire(cost, options)
    this.#granted += cost
    this.#outage.spent += cost
    return admission
  }

  #decideDuringOutage(cost: number, error: unknown): Decision {
    if (!(error instanceof StoreUnavailableError)) throw error
    const { mode, share } = this.#outage
    if (mode === 'closed' || cost > share.stats().burst) throw error
    const decision =
      mode === 'open'
        ? { allowed: true, limit: this.#burst, remaining: 0, resetAfter: 0, retryAfter: 0 }
        : share.decide(cost)
    if (!decision.allowed) this.#refused++
    else {
      this.#granted += cost
      this.#outage.spent += cost
    }
    return decision
  }

  #decision(
    { granted, wait, available }: { granted: boolean; wait: number; available: number },
    cost = 0,
  ): Decision {
    if (granted) this.#granted += cost
    else this.#refused++
    return {
      allowed: granted,
      limit: this.#burst,
      remaining: Math.max(0, available),
      resetAfter: Math.max(0, (this.#burst - available) * this.#interval),
      retryAfter: granted ? 0 : wait,
    }
  }

  async #reserve(cost: number, maxWait: number) {
    if (this.#outage.spent > 0) await this.#settle()
    this.#countClients()
    return this.#store.reserve(this.#key, cost, maxWait)
  }

  async #lease(count: number): Promise<number> {
    this.#countedAt = this.#clock.now()
    try {
      if (this.#outage.spent > 0) await this.#settle()
      const keys = [this.#key, this.#clientsKey] as const
      const { first, clients } = await this.#store.lease(keys, count, this.#identity)
      this.#outage.clients = clients
      return first
    } catch (error) {
      if (this.#outage.mode !== 'lease') this.#leased?.drop()
      throw error
    }
  }

  /**
   * Debits what was spent while Redis was away, before anything else is asked of it; one call for all callers. A debit
   * whose answer is lost is repeated, which errs on the side of the limit.
   */
  #settle(): Promise<void> {
    this.#settling ??= this.#debit(this.#outage.spent).finally(() => {
      this.#settling = undefined
    })
    return this.#settling
  }

  async #debit(spent: number): Promise<void> {
    await this.#store.debit(this.#key, spent)
    this.#outage.spent -= spent
  }

  /** Once a second, where shares depend on it, has this process counted among those that use the limit. */
  #countClients(): void {
    const { mode } = this.#outage
    if (this.#leased === undefined && (mode === 'open' || mode === 'closed')) return
    const now = this.#clock.now()
    if (now - this.#countedAt < 1_000) return
    this.#countedAt = now
    this.#store.lease([this.#key, this.#clientsKey], 0, this.#identity).then(
      ({ clients }) => {
        this.#outage.clients = clients
      },
      // Not counted this time; what is asked next meets the same outage and deals with it.
      () => {},
    )
  }

  #giveBack(cost: number): void {
    // A slot that cannot be given back stays empty: the limit is kept all the same.
    this.#store.refund(this.#key, cost).catch(() => {})
  }

  #checkCost(cost: number): void {
    if (cost >= 0 && cost <= this.#burst) return
    throw new InvalidOptionError('cost', `a number from 0 to the burst of ${this.#burst}`, cost)
  }
}
