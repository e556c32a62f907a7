import {
  type Clock,
  checkInteger,
  checkOptions,
  checkPositive,
  checkRange,
  describeStats,
  InvalidOptionError,
} from '@millrace/kit'
import {
  AcquireTimeoutError,
  LimiterClosedError,
  LimitStoreUnavailableError,
} from '../../errors.ts'
import { LONGEST } from '../../limiter/longest.ts'
import {
  type SemaphoreAcquireOptions,
  weightOf,
  withoutWeight,
} from '../../semaphore/semaphore-acquire.ts'
import { checkAcquireOptions, optionsOf } from '../../wait/acquire-options.ts'
import { FreeChannel } from '../client/free-channel.ts'
import type { StoreClocks } from '../clock/store-clocks.ts'
import { RedisLimit } from '../limit/redis-limit.ts'
import { type Attempt, RemoteQueue } from '../limit/remote-queue.ts'
import { Ledger } from '../outage/ledger.ts'
import { HeldPermits, type Place } from '../stores/held-permits.ts'
import { type LossNews, newLossNews, SemaphoreStore } from '../stores/semaphore-store.ts'
import { PlacesAlone } from './places-alone.ts'
import { RedisPermit } from './redis-permit.ts'
import {
  REDIS_SEMAPHORE_OPTIONS,
  REDIS_SEMAPHORE_STATS_KINDS,
  type RedisSemaphoreOptions,
  type RedisSemaphoreStats,
  SEMAPHORE_MODES,
  type SemaphoreOutageMode,
} from './semaphore-options.ts'

/** What several semaphores of one store know of it together: what it lost, and how its clock was moved. */
export interface StoreNews {
  readonly losses: LossNews
  readonly clocks: StoreClocks
}

/**
 * At most `permits` holders over all processes. A holder that dies loses its permit after `ttl`; one that lives but
 * cannot renew it is told by its signal in time, and what it guards can tell it by its fencing token. In order within a
 * process; between processes the one that asks first.
 */
export class RedisSemaphore {
  readonly #limit: RedisLimit<SemaphoreOutageMode, true>
  readonly #clock: Clock
  readonly #store: SemaphoreStore
  /** Holders that Redis has to be told of: that they are inside, or that they have left. */
  readonly #ledger: Ledger<true>
  readonly #queue: RemoteQueue<Place>
  readonly #releases: FreeChannel | undefined
  readonly #held: HeldPermits
  readonly #alone: PlacesAlone
  readonly #permits: number
  readonly #poll: number
  #granted = 0
  #refused = 0

  /** @internal */
  readonly news: StoreNews

  constructor(options: RedisSemaphoreOptions)
  /** @internal */
  constructor(options: RedisSemaphoreOptions, news: StoreNews)
  constructor(options: RedisSemaphoreOptions, news?: StoreNews) {
    checkOptions('', options, REDIS_SEMAPHORE_OPTIONS)
    const { subscriber, permits, ttl = 10_000, whenDown = 'closed', maxQueue, order } = options
    const { poll = subscriber === undefined ? 50 : 1_000 } = options
    this.#permits = checkInteger('permits', permits, 1)
    this.#poll = checkPositive('poll', poll)
    checkRange('ttl', ttl, 1, LONGEST)
    this.#ledger = new Ledger<true>({
      tell: holder => this.#alone.tell(holder),
      merge: () => true,
      amount: () => 1,
    })
    this.#limit = new RedisLimit(options, {
      whenDown,
      modes: SEMAPHORE_MODES,
      divided: ['local'],
      ledger: this.#ledger,
      clocks: news?.clocks ?? { missing: ttl / 2, kept: 10 * ttl },
    })
    const { name, clock, clocks, guard, key } = this.#limit
    this.news = news ?? { losses: newLossNews(), clocks }
    this.#clock = clock
    const keys = { holders: `${key}:holders`, state: `${key}:state`, channel: `${key}:free` }
    this.#store = new SemaphoreStore({
      guard,
      clock,
      clocks,
      keys,
      permits,
      ttl,
      losses: this.news.losses,
      overruled: most => this.#limit.overruled(`${most} permits`),
    })
    this.#held = new HeldPermits({
      name,
      clock,
      ttl,
      renew: holders => this.#store.renew(holders),
      keeps: place => this.#alone.keeps(place),
    })
    const { outage } = this.#limit
    this.#alone = new PlacesAlone({
      ...{ permits, poll, clock, outage },
      held: this.#held,
      store: this.#store,
    })
    this.#queue = new RemoteQueue({
      name,
      clock,
      maxQueue,
      order,
      attempt: weight => this.#attempt(weight),
      giveBack: place => void this.#leave(place),
    })
    this.#releases =
      subscriber === undefined
        ? undefined
        : new FreeChannel(subscriber, keys.channel, () => this.#queue.poke())
  }

  get name(): string {
    return this.#limit.name
  }

  /**
   * `weight` permits, if they are free now and nothing in this process waits.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} where `whenDown` gives this process nothing; {LimiterClosedError}
   */
  async tryAcquire(weight = 1): Promise<RedisPermit | undefined> {
    this.#checkWeight(weight)
    this.#checkOpen()
    if (this.#queue.size === 0) {
      const attempt = await this.#attempt(weight)
      if (attempt.granted) return this.#hold(attempt.value, 0)
    }
    this.#refused++
    return undefined
  }

  /**
   * `weight` permits as one, after waiting for it if need be: `await using permit = await semaphore.acquire()`.
   *
   * @throws (by rejection) {AcquireTimeoutError}; `signal.reason` on abort; {QueueFullError}; {LimiterClosedError};
   *   {LimitStoreUnavailableError} as {@link tryAcquire} does; {InvalidOptionError}
   */
  acquire(weight: number, options?: SemaphoreAcquireOptions): Promise<RedisPermit>
  acquire(options?: SemaphoreAcquireOptions): Promise<RedisPermit>
  async acquire(
    first?: number | SemaphoreAcquireOptions,
    second?: SemaphoreAcquireOptions,
  ): Promise<RedisPermit> {
    const options = optionsOf(first, second)
    const weight = weightOf(first, options)
    this.#checkWeight(weight)
    this.#checkOpen()
    const wait = withoutWeight(options)
    if (options?.timeout === 0 && this.#queue.size === 0) {
      if (wait !== undefined) checkAcquireOptions(wait)
      options.signal?.throwIfAborted()
      // It never waits, not for the queue either.
      const permit = await this.tryAcquire(weight)
      if (permit === undefined) throw new AcquireTimeoutError(this.name, 0)
      return permit
    }
    const since = this.#clock.now()
    this.#releases?.open()
    const place = await this.#queue.wait(weight, wait)
    return this.#hold(place, this.#clock.now() - since)
  }

  /** Runs `fn` with a permit and gives it back however that ends; its signal aborts when the permit is lost. */
  async run<R>(
    fn: (permit: RedisPermit) => R | PromiseLike<R>,
    options?: SemaphoreAcquireOptions,
  ): Promise<R> {
    const permit = await this.acquire(options)
    try {
      return await fn(permit)
    } finally {
      await permit.release()
    }
  }

  stats(): RedisSemaphoreStats {
    const { size, refused, timeouts, aborts } = this.#queue.counts
    return {
      ...this.#limit.stats(),
      permits: this.#permits,
      active: this.#held.permits,
      waiting: size,
      granted: this.#granted,
      refused: this.#refused + refused,
      timeouts,
      aborts,
      lost: this.#held.lost,
    }
  }

  /**
   * Ends all waits with {@link LimiterClosedError}, releases what this process holds, and refuses what asks for permits from now on.
   */
  async close(): Promise<void> {
    this.#queue.close()
    this.#releases?.close()
    await Promise.all(this.#held.places.map(place => this.#leave(place)))
    this.#limit.outage.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checkOpen(): void {
    if (this.#queue.closed) throw new LimiterClosedError(this.name)
  }

  #checkWeight(weight: number): void {
    if (Number.isSafeInteger(weight) && weight >= 1 && weight <= this.#permits) return
    throw badWeight(this.#permits, weight)
  }

  #attempt(weight: number): Promise<Attempt<Place>> {
    const { outage } = this.#limit
    return outage.bridge<Attempt<Place>>(
      async () => {
        // Until an outage is over for all, others may be inside of whom Redis has not been told.
        const beyond = this.#held.permits + weight > this.#alone.share
        if (beyond && outage.recovery > 0) return { granted: false, retryIn: this.#poll }
        // A place that comes too late has no taker: it is left again.
        const entry = await this.#store.enter(weight, holder => outage.owe(holder, true))
        if (entry.granted || entry.paused) return entry
        const { permits } = this.#store
        const refusal = weight > permits ? badWeight(permits, weight) : undefined
        return { granted: false, retryIn: Math.min(this.#poll, entry.retryIn), refusal }
      },
      error => this.#alone.enter(weight, error),
    )
  }

  async #hold(place: Place, waited: number): Promise<RedisPermit> {
    if (this.#queue.closed) {
      // It came while the semaphore was being closed, which has left all places that were held.
      await this.#leave(place)
      throw new LimiterClosedError(this.name)
    }
    const signal = this.#held.add(place)
    this.#granted++
    return new RedisPermit(place.fence, waited, signal, () => this.#leave(place))
  }

  async #leave(place: Place): Promise<void> {
    this.#held.remove(place.holder)
    // Of what Redis has not been told yet it need not hear.
    const unknown = place.until === Infinity && this.#ledger.delete(place.holder)
    try {
      if (!unknown) await this.#store.leave(place.holder)
    } catch (error) {
      if (!(error instanceof LimitStoreUnavailableError)) throw error
      this.#alone.left(place)
    }
    this.#queue.poke()
  }
}

function badWeight(permits: number, weight: number): InvalidOptionError {
  return new InvalidOptionError('weight', `an integer from 1 to ${permits}`, weight)
}

describeStats<RedisSemaphoreStats>(RedisSemaphore.prototype, REDIS_SEMAPHORE_STATS_KINDS)
