import type { Clock } from '../../clock.ts'
import { LimitStoreUnavailableError } from '../../errors.ts'
import type { AcquireOptions, Admission } from '../../wait/acquire-options.ts'
import { SLACK } from '../../wait/slack.ts'
import { WaitList } from '../../wait/wait-list.ts'
import { Lease } from './lease.ts'

export interface LeasedTokensOptions {
  readonly name: string
  readonly clock: Clock
  /** Ms per token. */
  readonly interval: number
  /** How far ahead tokens are reserved, in ms. */
  readonly duration: number
  /** How many processes share the limit. */
  processes(): number
  /** Reserves tokens; resolves with the ms from now to the first. */
  reserve(count: number): Promise<number>
  refund(count: number): void
}

/** Below this many tokens per lease one process would starve the others, and little is saved. */
const FEWEST = 5

/**
 * Hands out tokens that this process has reserved ahead, each at its slot. One call for more is under way at a time, made
 * when half of what is in demand is left, so that callers seldom wait for it.
 */
export class LeasedTokens {
  readonly #lease: Lease
  readonly #waiters: WaitList<Admission>
  readonly #options: LeasedTokensOptions
  #queued = 0
  /** Tokens asked for since the last call, and as a moving mean per lease. */
  #asked = 0
  #demand = 1
  #renewedAt: number
  #usedAt: number
  #renewing = false
  #sweeping = false

  constructor(options: LeasedTokensOptions) {
    const { name, clock, interval, duration } = options
    this.#options = options
    this.#lease = new Lease(interval, duration)
    this.#renewedAt = clock.now()
    this.#usedAt = this.#renewedAt
    this.#waiters = new WaitList<Admission>(
      {
        timed: true,
        dueAt: (cost, ahead, now) => this.#lease.dueAt(cost + ahead, now),
        lineUp: ({ cost }, now) => {
          const due = this.#lease.dueAt(cost, now)
          // After a stall of the event loop all that was reserved may be too old, and whoever waits asks no second time.
          if (due === Infinity) this.#renew(now)
          return due
        },
        admit: ({ cost, since }, now) => {
          this.#lease.take(cost)
          return { waited: now - since }
        },
      },
      { name, clock },
    )
  }

  /** Tokens reserved ahead. */
  get left(): number {
    return this.#lease.left
  }

  get waiting(): number {
    return this.#waiters.size
  }

  get aborts(): number {
    return this.#waiters.aborts
  }

  get refused(): number {
    return this.#waiters.refused
  }

  /** Whether the share of this process is large enough for leases; if not, each permit is to be reserved alone. */
  get worthwhile(): boolean {
    return this.#most() >= FEWEST
  }

  /** Takes tokens that are here, if nobody waits for them. */
  tryTake(cost: number): boolean {
    if (this.#waiters.size > 0) return false
    const now = this.#options.clock.now()
    if (this.#lease.dueAt(cost, now) > now + SLACK) return false
    this.#lease.take(cost)
    this.#note(cost, now)
    this.#renew(now)
    return true
  }

  /** Waits for tokens. @throws (by rejection) {LimitStoreUnavailableError} if they could not be reserved */
  async acquire(cost: number, options: AcquireOptions | undefined): Promise<Admission> {
    const now = this.#options.clock.now()
    this.#queued += cost
    this.#note(cost, now)
    try {
      const admission = this.#waiters.wait(cost, options)
      this.#renew(now)
      return await admission
    } finally {
      this.#queued -= cost
    }
  }

  /** Gives the tokens back that are held, as they must not be used. */
  drop(): void {
    const left = this.#lease.drain()
    if (left > 0) this.#options.refund(left)
  }

  async close(): Promise<void> {
    this.#waiters.close()
    this.drop()
  }

  #most(): number {
    const { duration, interval, processes } = this.#options
    return Math.floor(duration / interval / processes())
  }

  #note(cost: number, now: number): void {
    this.#asked += cost
    this.#usedAt = now
  }

  #renew(now: number): void {
    if (this.#renewing || this.#waiters.closed) return
    const want = Math.min(this.#most(), Math.max(this.#demand, this.#asked, this.#queued))
    if (this.#lease.left - this.#queued >= want / 2) return
    this.#renewing = true
    const { duration } = this.#options
    const elapsed = Math.max(now - this.#renewedAt, 1)
    this.#demand += ((this.#asked * duration) / elapsed - this.#demand) / 2
    this.#asked = 0
    this.#renewedAt = now
    // The first in line must fit, whatever it costs.
    void this.#extend(Math.max(1, Math.ceil(want), this.#waiters.first?.cost ?? 0))
  }

  async #extend(count: number): Promise<void> {
    const { clock, reserve } = this.#options
    try {
      const first = await reserve(count)
      const now = clock.now()
      this.#lease.add(now + first, count, now)
    } catch (error) {
      this.#waiters.serve()
      if (!(error instanceof LimitStoreUnavailableError)) throw error
      this.#waiters.evict(() => error)
    } finally {
      this.#renewing = false
    }
    this.#waiters.serve()
    this.#sweep()
    if (this.#waiters.size > 0) this.#renew(clock.now())
  }

  /** Gives tokens back that nobody has asked for during one lease. */
  #sweep(): void {
    if (this.#sweeping || this.#lease.left === 0) return
    this.#sweeping = true
    const { clock, duration } = this.#options
    clock.setTimer(() => {
      this.#sweeping = false
      if (this.#waiters.size > 0 || clock.now() - this.#usedAt < duration) this.#sweep()
      else this.drop()
    }, duration)
  }
}
