import { type Clock, checkInteger } from '@millrace/kit'
import { systemClock } from '../clock.ts'
import type { AcquireOptions } from '../wait/acquire-options.ts'
import { publishRefusal } from '../wait/channels.ts'
import { WaitList } from '../wait/wait-list.ts'
import type { WaitOrder } from '../wait/wait-order.ts'
import { Permit } from './permit.ts'
import { PermitCounter } from './permit-counter.ts'

export interface SemaphoreOptions {
  /** How many may be inside at once; a positive integer. */
  readonly permits: number
  /** The most callers that may wait; default Infinity. */
  readonly maxQueue?: number | undefined
  /** In which order callers that wait are served; default a new {@link PriorityOrder}. */
  readonly order?: WaitOrder | undefined
  /** In errors, statistics and diagnostics; default `'semaphore'`. */
  readonly name?: string | undefined
  readonly clock?: Clock | undefined
}

export interface SemaphoreStats {
  permits: number
  /** Permits held now; above `permits` only after that was lowered. */
  active: number
  waiting: number
  /** Permits handed out so far. */
  granted: number
  /** Calls that got none at once: `tryAcquire` without a permit, full queues, `timeout: 0`. */
  refused: number
  timeouts: number
  aborts: number
}

export type SemaphoreAcquireOptions = Omit<AcquireOptions, 'cost'>

/**
 * At most `permits` callers inside at once; the others wait in order.
 *
 * A released permit goes straight to the next waiter and is never free in between, so no newcomer can overtake.
 */
export class Semaphore {
  readonly name: string
  readonly #waiters: WaitList<void>
  readonly #clock: Clock
  readonly #room: PermitCounter
  #idle: PromiseWithResolvers<void> | undefined = undefined
  #refused = 0

  constructor({
    permits,
    maxQueue,
    order,
    name = 'semaphore',
    clock = systemClock,
  }: SemaphoreOptions) {
    this.name = name
    this.#clock = clock
    this.#room = new PermitCounter(checkInteger('permits', permits, 1))
    this.#waiters = new WaitList(this.#room, { name, clock, order, maxQueue })
    this.#room.onVacancy = () => {
      if (this.#waiters.size !== 0) this.#waiters.serve()
      if (this.#idle !== undefined && this.#room.active === 0) {
        this.#idle.resolve()
        this.#idle = undefined
      }
    }
  }

  /** A permit, if one is free and nobody waits for it. */
  tryAcquire(): Permit | undefined {
    if (!this.#enter(undefined)) {
      this.#refused++
      publishRefusal(this.name, 1, Infinity)
      return undefined
    }
    return new Permit(this.#room, 0)
  }

  /**
   * A permit, after waiting for it if need be: `using permit = await semaphore.acquire()`.
   *
   * @throws (by rejection) {AcquireTimeoutError}; `signal.reason` on abort; {QueueFullError}; {LimiterClosedError};
   *   {InvalidOptionError} for a negative timeout or an unknown priority
   */
  async acquire(options?: SemaphoreAcquireOptions): Promise<Permit> {
    if (this.#enter(options)) return new Permit(this.#room, 0)
    const since = this.#clock.now()
    await this.#waiters.wait(1, options)
    return new Permit(this.#room, this.#clock.now() - since)
  }

  /**
   * Runs `fn` with a permit and gives it back however that ends. Cheaper than {@link acquire}: no permit object.
   *
   * @returns what `fn` returns
   * @throws (by rejection) what `fn` throws, and what {@link acquire} does
   */
  async run<R>(fn: () => R | PromiseLike<R>, options?: SemaphoreAcquireOptions): Promise<R> {
    if (!this.#enter(options)) await this.#waiters.wait(1, options)
    try {
      return await fn()
    } finally {
      this.#room.leave()
    }
  }

  /** Changes how many may be inside. Nobody is thrown out: after lowering it, nobody enters until enough have left. */
  setPermits(permits: number): void {
    this.#room.permits = checkInteger('permits', permits, 1)
    this.#waiters.serve()
  }

  /** Resolves as soon as nobody is inside and nobody waits: at once, if that is so now. */
  onIdle(): Promise<void> {
    // Nobody waits while all places are free.
    if (this.#room.active === 0) return Promise.resolve()
    this.#idle ??= Promise.withResolvers()
    return this.#idle.promise
  }

  stats(): SemaphoreStats {
    return {
      permits: this.#room.permits,
      active: this.#room.active,
      waiting: this.#waiters.size,
      granted: this.#room.granted,
      refused: this.#refused + this.#waiters.refused,
      timeouts: this.#waiters.timeouts,
      aborts: this.#waiters.aborts,
    }
  }

  /** Rejects all who wait with {@link LimiterClosedError}, and whoever would wait from now on. Holders are left alone. */
  close(): void {
    this.#waiters.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #enter(options: SemaphoreAcquireOptions | undefined): boolean {
    const room = this.#room
    if (!room.free || !this.#waiters.admits(options)) return false
    room.admit()
    return true
  }
}
