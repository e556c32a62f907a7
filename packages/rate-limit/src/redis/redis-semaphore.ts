import { randomUUID } from 'node:crypto'
import { type Clock, systemClock, type Timer } from '../clock.ts'
import { LeaseLostError, StoreUnavailableError } from '../errors.ts'
import { positive, positiveInteger } from '../option-checks.ts'
import type { SemaphoreAcquireOptions } from '../semaphore/semaphore.ts'
import type { WaitOrder } from '../wait/wait-order.ts'
import type { RedisClient } from './redis-client.ts'
import { RedisPermit } from './redis-permit.ts'
import { type Attempt, RemoteQueue } from './remote-queue.ts'
import { enterScript, leaveScript, renewScript } from './semaphore-scripts.ts'
import { StoreGuard, type StoreGuardOptions } from './store-guard.ts'

/** What hears of released permits; an ioredis `Redis` or `Cluster`, used for nothing else. */
export interface RedisSubscriber {
  subscribe(channel: string): Promise<unknown>
  on(event: 'message', listener: (channel: string) => void): unknown
  off(event: 'message', listener: (channel: string) => void): unknown
}

export interface RedisSemaphoreOptions extends StoreGuardOptions {
  /** An ioredis `Redis` or `Cluster`. It is not closed with the semaphore. */
  client: RedisClient
  /**
   * A second connection, such as `client.duplicate()`, on which processes that wait hear of released permits. Without
   * one they ask again every `poll` ms.
   */
  subscriber?: RedisSubscriber | undefined
  /** Which semaphore: processes that give the same id and permits share it. */
  id: string
  /** How many may be inside at once, over all processes; a positive integer. */
  permits: number
  /** For how long a permit is held without being renewed, in ms; default 10,000. It is renewed every third of that. */
  ttl?: number | undefined
  /** How long to wait between two questions, in ms; default 1,000 with a subscriber, else 50. */
  poll?: number | undefined
  /** Before the id in Redis; default `'millrace:limit:'`. */
  prefix?: string | undefined
  /** The most callers of this process that may wait; default Infinity. */
  maxQueue?: number | undefined
  order?: WaitOrder | undefined
  /** In errors, statistics and diagnostics; default the id. */
  name?: string | undefined
  clock?: Clock | undefined
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
  trips: number
  unavailable: number
}

interface Holding {
  readonly controller: AbortController
  /** When the lease ends unless it is renewed, ms on the local clock, counted from before the call. */
  until: number
}

/**
 * At most `permits` holders over all processes. A holder that dies loses its permit after `ttl`; one that lives but
 * cannot renew it is told by its signal in time, and what it guards can tell it by its fencing token. In order within a
 * process; between processes whoever asks first. Redis away means {@link StoreUnavailableError}, whatever it guards.
 */
export class RedisSemaphore {
  readonly name: string
  readonly #clock: Clock
  readonly #guard: StoreGuard
  readonly #queue: RemoteQueue<{ holder: string; fence: number; until: number }>
  readonly #subscriber: RedisSubscriber | undefined
  readonly #holders: string
  readonly #fence: string
  readonly #channel: string
  readonly #permits: number
  readonly #ttl: number
  readonly #held = new Map<string, Holding>()
  #subscribed = false
  #heartbeat: Timer | undefined = undefined
  #granted = 0
  #refused = 0
  #lost = 0

  constructor({
    client,
    subscriber,
    id,
    permits,
    ttl = 10_000,
    poll = subscriber === undefined ? 50 : 1_000,
    prefix = 'millrace:limit:',
    maxQueue,
    order,
    name = id,
    clock = systemClock,
    ...guard
  }: RedisSemaphoreOptions) {
    this.name = name
    this.#clock = clock
    this.#permits = positiveInteger('permits', permits)
    this.#ttl = positive('ttl', ttl)
    this.#holders = `${prefix}{${id}}:holders`
    this.#fence = `${prefix}{${id}}:fence`
    this.#channel = `${prefix}{${id}}:free`
    this.#subscriber = subscriber
    this.#guard = new StoreGuard(client, name, clock, guard)
    positive('poll', poll)
    this.#queue = new RemoteQueue({
      name,
      clock,
      maxQueue,
      order,
      attempt: async () => {
        const attempt = await this.#enter()
        return attempt.granted
          ? attempt
          : { granted: false, retryIn: Math.min(poll, attempt.retryIn) }
      },
      giveBack: ({ holder }) => void this.#leave(holder),
    })
  }

  /** A permit, if one is free now and nobody in this process waits. @throws (by rejection) {StoreUnavailableError} */
  async tryAcquire(): Promise<RedisPermit | undefined> {
    if (this.#queue.size === 0) {
      const attempt = await this.#enter()
      if (attempt.granted) return this.#hold(attempt.value, 0)
    }
    this.#refused++
    return undefined
  }

  /**
   * A permit, after waiting for it if need be: `await using permit = await semaphore.acquire()`.
   *
   * @throws (by rejection) {AcquireTimeoutError}; `signal.reason` on abort; {QueueFullError}; {LimiterClosedError};
   *   {StoreUnavailableError}; {InvalidOptionError}
   */
  async acquire(options?: SemaphoreAcquireOptions): Promise<RedisPermit> {
    const since = this.#clock.now()
    await this.#listen()
    const grant = await this.#queue.wait(1, options)
    return this.#hold(grant, this.#clock.now() - since)
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
      lost: this.#lost,
      trips: this.#guard.trips,
      unavailable: this.#guard.unavailable,
    }
  }

  /** Rejects all who wait with {@link LimiterClosedError} and releases what this process holds. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#queue.close()
    this.#subscriber?.off('message', this.#onMessage)
    this.#subscribed = false
    await Promise.all([...this.#held.keys()].map(holder => this.#leave(holder)))
  }

  async #enter(): Promise<Attempt<{ holder: string; fence: number; until: number }>> {
    const holder = randomUUID()
    const until = this.#clock.now() + this.#ttl
    const args = [this.#ttl * 1_000, this.#permits, holder]
    const [granted, value] = await this.#guard.run(enterScript, [this.#holders, this.#fence], args)
    if (granted === 1) return { granted: true, value: { holder, fence: value!, until } }
    return { granted: false, retryIn: value! / 1_000 }
  }

  #hold(
    { holder, fence, until }: { holder: string; fence: number; until: number },
    waited: number,
  ): RedisPermit {
    const controller = new AbortController()
    this.#held.set(holder, { controller, until })
    this.#granted++
    this.#beat()
    return new RedisPermit(fence, waited, controller.signal, () => this.#leave(holder))
  }

  async #leave(holder: string): Promise<void> {
    this.#held.delete(holder)
    if (this.#held.size === 0) {
      this.#heartbeat?.cancel()
      this.#heartbeat = undefined
    }
    try {
      await this.#guard.run(
        leaveScript,
        [this.#holders],
        [this.#ttl * 1_000, holder, this.#channel],
      )
    } catch (error) {
      // Redis lets the place go by itself when its lease ends.
      if (!(error instanceof StoreUnavailableError)) throw error
    }
    this.#queue.poke()
  }

  #beat(): void {
    this.#heartbeat ??= this.#clock.setTimer(() => {
      this.#heartbeat = undefined
      void this.#renew()
    }, this.#ttl / 3)
  }

  async #renew(): Promise<void> {
    const holders = [...this.#held.keys()]
    if (holders.length === 0) return
    const until = this.#clock.now() + this.#ttl
    try {
      const args = [this.#ttl * 1_000, this.#permits, ...holders]
      const kept = await this.#guard.run(renewScript, [this.#holders], args)
      for (const [index, holder] of holders.entries()) {
        const holding = this.#held.get(holder)
        if (holding === undefined) continue
        if (kept[index] === 1) holding.until = until
        else this.#lose(holder, holding)
      }
    } catch (error) {
      this.#expire(error)
    }
    if (this.#held.size > 0) this.#beat()
  }

  /** Redis cannot be reached: permits whose lease ends before the next try count as lost. */
  #expire(cause: unknown): void {
    const next = this.#clock.now() + this.#ttl / 3
    for (const [holder, holding] of this.#held) {
      if (holding.until <= next) this.#lose(holder, holding, cause)
    }
  }

  #lose(holder: string, { controller }: Holding, cause?: unknown): void {
    this.#held.delete(holder)
    this.#lost++
    controller.abort(new LeaseLostError(this.name, cause === undefined ? undefined : { cause }))
  }

  async #listen(): Promise<void> {
    if (this.#subscriber === undefined || this.#subscribed) return
    this.#subscribed = true
    this.#subscriber.on('message', this.#onMessage)
    try {
      await this.#subscriber.subscribe(this.#channel)
    } catch (cause) {
      this.#subscribed = false
      this.#subscriber.off('message', this.#onMessage)
      throw new StoreUnavailableError(this.name, { cause })
    }
  }

  readonly #onMessage = (channel: string): void => {
    if (channel === this.#channel) this.#queue.poke()
  }
}
