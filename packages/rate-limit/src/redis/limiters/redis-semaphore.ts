import { randomUUID } from 'node:crypto'
import { type Clock, checkInteger, checkPositive, checkText } from '@millrace/kit'
import { systemClock } from '../../clock.ts'
import { LimitStoreUnavailableError } from '../../errors.ts'
import type { SemaphoreAcquireOptions } from '../../semaphore/semaphore.ts'
import type { WaitOrder } from '../../wait/wait-order.ts'
import { FreeChannel, type RedisSubscriber } from '../client/free-channel.ts'
import type { RedisClient } from '../client/redis-client.ts'
import { StoreGuard, type StoreGuardOptions } from '../client/store-guard.ts'
import { Ledger } from '../outage/ledger.ts'
import { Outage } from '../outage/outage.ts'
import { type OutageMode, outageOptions } from '../outage/outage-mode.ts'
import { Peers } from '../outage/peers.ts'
import { SemaphoreStore } from '../stores/semaphore-store.ts'
import { HeldPermits, type Place } from './held-permits.ts'
import { RedisPermit } from './redis-permit.ts'
import { type Attempt, RemoteQueue } from './remote-queue.ts'

/** A semaphore that lets everybody in bounds nothing, so that there is no `'open'`. */
type SemaphoreOutageMode = Exclude<OutageMode, 'open'>

const modes: readonly SemaphoreOutageMode[] = ['closed', 'local', 'lease']

export interface RedisSemaphoreOptions extends StoreGuardOptions {
  /** An ioredis `Redis` or `Cluster`. It is not closed with the semaphore. */
  readonly client: RedisClient
  /**
   * A second connection, such as `client.duplicate()`, on which processes that wait hear of released permits. Without
   * one they ask again every `poll` ms.
   */
  readonly subscriber?: RedisSubscriber | undefined
  /** Which semaphore: processes that give the same id and permits share it. */
  readonly id: string
  /** How many may be inside at once, over all processes; a positive integer. */
  readonly permits: number
  /** For how long a permit is held without being renewed, in ms; default 10,000. It is renewed every third of that. */
  readonly ttl?: number | undefined
  /** How long to wait between two questions, in ms; default 1,000 with a subscriber, else 50. */
  readonly poll?: number | undefined
  /**
   * What happens while Redis is not available:
   * - `'closed'` (default): nobody enters, and who is inside loses its permit when its lease ends
   * - `'lease'`: the same, but a permit that is released goes to another caller of this process, with its fence, until its
   *   lease ends: still never more than `permits`
   * - `'local'`: up to this process' share, the permits divided by the processes and rounded down, are inside and stay.
   *   Their fence is 0 and excludes nobody: for bounding load, not for exclusion
   */
  readonly whenDown?: SemaphoreOutageMode | undefined
  /** As how many processes this one counts itself until it has heard from Redis, for its local share; default 1. */
  readonly processes?: number | undefined
  /** Before the id in Redis; default `'millrace:limit'`. */
  readonly prefix?: string | undefined
  /** The most callers of this process that may wait; default Infinity. */
  readonly maxQueue?: number | undefined
  readonly order?: WaitOrder | undefined
  /** In errors, statistics and diagnostics; default the id. */
  readonly name?: string | undefined
  readonly clock?: Clock | undefined
}

export interface RedisSemaphoreStats {
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
  /** Calls to Redis. */
  trips: number
  /** Calls that Redis did not answer, or that were not made because it was known to be down. */
  unavailable: number
  /** 1 while Redis is not available, else 0. */
  down: number
  /** Permits taken or released without Redis, which it does not know of yet. */
  unsettled: number
  /** Processes that share the permits, as far as known. */
  processes: number
}

/**
 * At most `permits` holders over all processes. A holder that dies loses its permit after `ttl`; one that lives but
 * cannot renew it is told by its signal in time, and what it guards can tell it by its fencing token. In order within a
 * process; between processes whoever asks first.
 */
export class RedisSemaphore {
  readonly name: string
  readonly #clock: Clock
  readonly #guard: StoreGuard
  readonly #store: SemaphoreStore
  readonly #ledger: Ledger<true>
  readonly #outage: Outage<SemaphoreOutageMode, true>
  readonly #peers: Peers
  readonly #queue: RemoteQueue<Place>
  readonly #news: FreeChannel | undefined
  readonly #held: HeldPermits
  /** Released while Redis was away, with leases that still run. */
  readonly #spare: Place[] = []
  readonly #permits: number
  readonly #poll: number
  #granted = 0
  #refused = 0

  constructor({
    client,
    subscriber,
    id,
    permits,
    ttl = 10_000,
    poll = subscriber === undefined ? 50 : 1_000,
    whenDown = 'closed',
    processes: expected,
    prefix = 'millrace:limit',
    maxQueue,
    order,
    name = id,
    clock = systemClock,
    ...guard
  }: RedisSemaphoreOptions) {
    this.name = name
    this.#clock = clock
    const key = `${prefix}:{${checkText('id', id)}}`
    this.#permits = checkInteger('permits', permits, 1)
    this.#poll = checkPositive('poll', poll)
    this.#guard = new StoreGuard(client, name, clock, guard)
    const keys = { holders: `${key}:holders`, fence: `${key}:fence`, channel: `${key}:free` }
    this.#store = new SemaphoreStore(this.#guard, keys, permits, checkPositive('ttl', ttl), clock)
    this.#held = new HeldPermits({
      name,
      clock,
      ttl,
      renew: holders => this.#store.renew(holders),
      keeps: place => this.#keepLocally(place),
    })
    const { mode, processes } = outageOptions({ whenDown, processes: expected }, modes)
    this.#peers = new Peers(`${key}:peers`, this.#guard, clock, processes)
    this.#ledger = new Ledger<true>({
      tell: holder => this.#tell(holder),
      merge: () => true,
      amount: () => 1,
    })
    this.#outage = new Outage({
      mode,
      ledger: this.#ledger,
      peers: mode === 'local' ? this.#peers : undefined,
      clock,
      retryAfter: this.#guard.cooldown,
    })
    this.#queue = new RemoteQueue({
      name,
      clock,
      maxQueue,
      order,
      attempt: () => this.#attempt(),
      giveBack: place => void this.#leave(place),
    })
    this.#news = subscriber && new FreeChannel(subscriber, keys.channel, () => this.#queue.poke())
  }

  /**
   * A permit, if one is free now and nobody in this process waits.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} where `whenDown` gives this process nothing
   */
  async tryAcquire(): Promise<RedisPermit | undefined> {
    if (this.#queue.size === 0) {
      const attempt = await this.#attempt()
      if (attempt.granted) return this.#hold(attempt.value, 0)
    }
    this.#refused++
    return undefined
  }

  /**
   * A permit, after waiting for it if need be: `await using permit = await semaphore.acquire()`.
   *
   * @throws (by rejection) {AcquireTimeoutError}; `signal.reason` on abort; {QueueFullError}; {LimiterClosedError};
   *   {LimitStoreUnavailableError} as {@link tryAcquire} does; {InvalidOptionError}
   */
  async acquire(options?: SemaphoreAcquireOptions): Promise<RedisPermit> {
    const since = this.#clock.now()
    this.#news?.open()
    const place = await this.#queue.wait(1, options)
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
      permits: this.#permits,
      active: this.#held.size,
      waiting: this.#queue.size,
      granted: this.#granted,
      refused: this.#refused + this.#queue.refused,
      timeouts: this.#queue.timeouts,
      aborts: this.#queue.aborts,
      lost: this.#held.lost,
      trips: this.#guard.trips,
      unavailable: this.#guard.unavailable,
      down: this.#guard.down ? 1 : 0,
      unsettled: this.#outage.owed,
      processes: this.#peers.count,
    }
  }

  /** Rejects all who wait with {@link LimiterClosedError} and releases what this process holds. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#queue.close()
    this.#news?.close()
    await Promise.all(this.#held.places.map(place => this.#leave(place)))
    this.#outage.close()
  }

  #attempt(): Promise<Attempt<Place>> {
    return this.#outage.bridge(
      async () => {
        // A place that comes too late is nobody's: it is left again.
        const attempt = await this.#store.enter(holder => this.#outage.owe(holder, true))
        if (attempt.granted) return attempt
        return { granted: false, retryIn: Math.min(this.#poll, attempt.retryIn) }
      },
      error => this.#attemptAlone(error),
    )
  }

  /** @throws the store's error where not even the return of a permit within this process can help */
  #attemptAlone(error: Error): Attempt<Place> {
    const local = this.#outage.mode === 'local'
    const place = local ? this.#takeShare() : this.#takeSpare()
    if (place !== undefined) return { granted: true, value: place }
    if (local ? this.#share === 0 : this.#held.size === 0) throw error
    return { granted: false, retryIn: this.#poll }
  }

  #takeShare(): Place | undefined {
    if (this.#held.size >= this.#share) return undefined
    const place = { holder: randomUUID(), fence: 0, until: Infinity }
    this.#outage.owe(place.holder, true)
    return place
  }

  #takeSpare(): Place | undefined {
    // It must last until its holder is told of its end.
    const earliest = this.#clock.now() + this.#held.beat
    for (let place = this.#spare.pop(); place !== undefined; place = this.#spare.pop()) {
      if (place.until > earliest) return place
    }
    return undefined
  }

  /** Permits of this process while Redis is away. Rounded down: one too many would not be bounded at all. */
  get #share(): number {
    return Math.floor(this.#permits / this.#outage.processes)
  }

  /** Whether a permit whose lease ends while Redis is away goes on as one of this process' share. */
  #keepLocally(place: Place): boolean {
    if (this.#outage.mode !== 'local' || this.#held.size > this.#share) return false
    place.until = Infinity
    this.#outage.owe(place.holder, true)
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
      this.#outage.owe(place.holder, true)
      if (this.#outage.mode === 'lease') this.#spare.push(place)
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
