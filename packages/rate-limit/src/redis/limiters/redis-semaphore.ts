import { randomUUID } from 'node:crypto'
import {
  type Clock,
  checkInteger,
  checkOptions,
  checkPositive,
  checkRange,
  describeStats,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import { LimiterClosedError, LimitStoreUnavailableError } from '../../errors.ts'
import {
  type SemaphoreAcquireOptions,
  semaphoreOptionsOf,
  weightOf,
  withoutWeight,
} from '../../semaphore/semaphore-acquire.ts'
import type { WaitOrder } from '../../wait/wait-order.ts'
import { FreeChannel, type RedisSubscriber } from '../client/free-channel.ts'
import { Ledger } from '../outage/ledger.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import { SemaphoreStore } from '../stores/semaphore-store.ts'
import { HeldPermits, type Place } from './held-permits.ts'
import {
  LONGEST,
  REDIS_LIMIT_OPTIONS,
  REDIS_LIMIT_STATS_KINDS,
  RedisLimit,
  type RedisLimitOptions,
  type RedisLimitStats,
} from './redis-limit.ts'
import { RedisPermit } from './redis-permit.ts'
import { type Attempt, RemoteQueue } from './remote-queue.ts'

/** A semaphore that lets every call in bounds nothing: it has no mode `'open'`. */
export type SemaphoreOutageMode = Exclude<OutageMode, 'open'>

const MODES: readonly SemaphoreOutageMode[] = ['closed', 'local', 'lease']

export interface RedisSemaphoreOptions extends RedisLimitOptions {
  /**
   * A second connection, such as `client.duplicate()`, on which processes that wait hear of released permits. Without
   * one they ask again every `poll` ms.
   */
  readonly subscriber?: RedisSubscriber | undefined
  /** How many may be inside at once, over all processes; a positive integer. */
  readonly permits: number
  /** For how long a permit is held without being renewed, in ms from 1 to 1e12. It is renewed every third of that. Default: 10,000 */
  readonly ttl?: number | undefined
  /** How long to wait between two questions, in ms. Default: 1,000 with a subscriber, else 50 */
  readonly poll?: number | undefined
  /**
   * What happens while Redis is not available:
   * - `'closed'`: nothing enters, and what is inside loses its permit when its lease ends
   * - `'lease'`: the same, but a permit that is released goes to another call of this process, with its fence, until its
   *   lease ends: still never more than `permits`
   * - `'local'`: up to this process' share, the permits divided by the processes and rounded down, are inside and stay.
   *   Their fence is 0 and excludes no other: for bounding load, not for exclusion
   *
   * Default: `'closed'`
   */
  readonly whenDown?: SemaphoreOutageMode | undefined
  /** The most calls of this process that may wait. Default: Infinity */
  readonly maxQueue?: number | undefined
  /** In which order they are served. Default: a new {@link PriorityOrder} */
  readonly order?: WaitOrder | undefined
}

const NAMES: OptionNames<RedisSemaphoreOptions> = {
  ...REDIS_LIMIT_OPTIONS,
  subscriber: true,
  permits: true,
  ttl: true,
  poll: true,
  whenDown: true,
  maxQueue: true,
  order: true,
}

export interface RedisSemaphoreStats extends RedisLimitStats {
  permits: number
  /** Permits held by this process. */
  active: number
  waiting: number
  granted: number
  refused: number
  timeouts: number
  aborts: number
  /** Permits lost while they were held. */
  lost: number
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
  readonly #ledger: Ledger<true>
  readonly #queue: RemoteQueue<Place>
  readonly #news: FreeChannel | undefined
  readonly #held: HeldPermits
  /** Released while Redis was away, with leases that still run. */
  readonly #spare: Place[] = []
  readonly #permits: number
  readonly #poll: number
  #granted = 0
  #refused = 0

  constructor(options: RedisSemaphoreOptions) {
    const {
      subscriber,
      permits,
      ttl = 10_000,
      whenDown = 'closed',
      maxQueue,
      order,
    } = checkOptions('', options, NAMES)
    const { poll = subscriber === undefined ? 50 : 1_000 } = options
    this.#permits = checkInteger('permits', permits, 1)
    this.#poll = checkPositive('poll', poll)
    checkRange('ttl', ttl, 1, LONGEST)
    this.#ledger = new Ledger<true>({
      tell: holder => this.#tell(holder),
      merge: () => true,
      amount: () => 1,
    })
    this.#limit = new RedisLimit(options, {
      whenDown,
      modes: MODES,
      divided: ['local'],
      ledger: this.#ledger,
    })
    const { name, clock, guard, key } = this.#limit
    this.#clock = clock
    const keys = { holders: `${key}:holders`, state: `${key}:state`, channel: `${key}:free` }
    this.#store = new SemaphoreStore({
      guard,
      clock,
      keys,
      permits,
      ttl,
      overruled: most => this.#limit.overruled(`${most} permits`),
    })
    this.#held = new HeldPermits({
      name,
      clock,
      ttl,
      renew: holders => this.#store.renew(holders),
      keeps: place => this.#keepLocally(place),
    })
    this.#queue = new RemoteQueue({
      name,
      clock,
      maxQueue,
      order,
      attempt: weight => this.#attempt(weight),
      giveBack: place => void this.#leave(place),
    })
    this.#news =
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
    if (this.#queue.closed) throw new LimiterClosedError(this.name)
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
    const options = semaphoreOptionsOf(first, second)
    const weight = weightOf(first, options)
    this.#checkWeight(weight)
    const since = this.#clock.now()
    this.#news?.open()
    const place = await this.#queue.wait(weight, withoutWeight(options))
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
    return {
      ...this.#limit.stats(),
      permits: this.#permits,
      active: this.#held.permits,
      waiting: this.#queue.size,
      granted: this.#granted,
      refused: this.#refused + this.#queue.refused,
      timeouts: this.#queue.timeouts,
      aborts: this.#queue.aborts,
      lost: this.#held.lost,
    }
  }

  /** Rejects all that waits with {@link LimiterClosedError} and releases what this process holds. */
  async close(): Promise<void> {
    this.#queue.close()
    this.#news?.close()
    await Promise.all(this.#held.places.map(place => this.#leave(place)))
    this.#limit.outage.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checkWeight(weight: number): void {
    if (Number.isSafeInteger(weight) && weight >= 1 && weight <= this.#permits) return
    throw new InvalidOptionError('weight', `an integer from 1 to ${this.#permits}`, weight)
  }

  #attempt(weight: number): Promise<Attempt<Place>> {
    return this.#limit.outage.bridge(
      async () => {
        // Until an outage is over for all, others may be inside of whom Redis has not been told.
        const beyond = this.#held.permits + weight > this.#share
        if (beyond && this.#limit.outage.recovery > 0)
          return { granted: false, retryIn: this.#poll }
        // A place that comes too late is nobody's: it is left again.
        const attempt = await this.#store.enter(weight, holder =>
          this.#limit.outage.owe(holder, true),
        )
        if (attempt.granted) return attempt
        return { granted: false, retryIn: Math.min(this.#poll, attempt.retryIn) }
      },
      error => this.#attemptAlone(weight, error),
    )
  }

  /** @throws the store's error where not even the return of a permit within this process can help */
  #attemptAlone(weight: number, error: Error): Attempt<Place> {
    const local = this.#limit.outage.mode === 'local'
    const place = local ? this.#takeShare(weight) : this.#takeSpare(weight)
    if (place !== undefined) return { granted: true, value: place }
    if (local ? this.#share < weight : this.#held.size === 0) throw error
    return { granted: false, retryIn: this.#poll }
  }

  #takeShare(weight: number): Place | undefined {
    if (this.#held.permits + weight > this.#share) return undefined
    const holder = weight === 1 ? randomUUID() : `${randomUUID()}*${weight}`
    const place = { holder, weight, fence: 0, until: Infinity }
    this.#limit.outage.owe(place.holder, true)
    return place
  }

  #takeSpare(weight: number): Place | undefined {
    // It must last until its holder is told of its end.
    const earliest = this.#clock.now() + this.#held.beat
    const index = this.#spare.findIndex(place => place.weight === weight && place.until > earliest)
    return index < 0 ? undefined : this.#spare.splice(index, 1)[0]
  }

  /** Permits of this process while Redis is away. Rounded down: one too many would not be bounded at all. */
  get #share(): number {
    return Math.floor(this.#permits / this.#limit.outage.divisor)
  }

  /** Whether a permit whose lease ends while Redis is away goes on as one of this process' share. */
  #keepLocally(place: Place): boolean {
    if (this.#limit.outage.mode !== 'local' || this.#held.permits > this.#share) return false
    place.until = Infinity
    this.#limit.outage.owe(place.holder, true)
    return true
  }

  #hold(place: Place, waited: number): RedisPermit {
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
      // Told when Redis is back; if that is later than the end of its lease the place is free already.
      this.#limit.outage.owe(place.holder, true)
      if (this.#limit.outage.mode === 'lease') this.#spare.push(place)
    }
    this.#queue.poke()
  }

  /** Tells Redis what became of a holder while it was away. */
  async #tell(holder: string): Promise<void> {
    const place = this.#held.get(holder)
    if (place !== undefined) return this.#store.restore(place)
    // Nobody takes it over while Redis is told that it is free.
    const index = this.#spare.findIndex(spare => spare.holder === holder)
    const [spare] = index < 0 ? [] : this.#spare.splice(index, 1)
    try {
      await this.#store.leave(holder)
    } catch (error) {
      if (spare !== undefined) this.#spare.push(spare)
      throw error
    }
  }
}

describeStats<RedisSemaphoreStats>(RedisSemaphore.prototype, {
  ...REDIS_LIMIT_STATS_KINDS,
  permits: 'gauge',
  active: 'gauge',
  waiting: 'gauge',
  granted: 'counter',
  refused: 'counter',
  timeouts: 'counter',
  aborts: 'counter',
  lost: 'counter',
})
