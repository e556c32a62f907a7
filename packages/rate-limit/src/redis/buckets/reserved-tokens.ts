import { type Clock, setAwaitedTimer, type Timer } from '@millrace/kit'
import { RateLimitedError } from '../../errors.ts'
import type { AcquireOptions, Admission } from '../../wait/acquire-options.ts'
import { publishRefusal } from '../../wait/channels.ts'
import { SLACK } from '../../wait/slack.ts'
import { WaitList } from '../../wait/wait-list.ts'
import type { WaitCounts } from '../../wait/wait-totals.ts'
import { Lease } from './lease.ts'

/** What a source of tokens gives. */
export interface Supply {
  /** Tokens, from `first` ms from now on, one each `interval` ms; 0 if there are none. */
  readonly tokens: number
  readonly first: number
  readonly interval: number
  /** Without tokens: in how many ms the least could be had. */
  readonly wait: number
  /** Without tokens: in how many ms to ask again; Infinity where the first call in line waits longer than it is willing to. */
  readonly again: number
  /** For how many ms nothing passes, so that what was reserved before for that time must not be used. */
  readonly blocked: number
}

export interface ReservedTokensOptions {
  readonly name: string
  readonly clock: Clock
  /** For how many ms tokens are reserved ahead of demand; 0 for what calls wait for alone. */
  readonly ahead: number
  /** Ms per token. */
  readonly interval: number
  /** How many processes share the limit. */
  processes(): number
  /**
   * Reserves tokens.
   *
   * @param least without which nothing is wanted: what the first call costs
   * @param far for how many ms ahead the least are wanted, whatever else waits; 0 to keep to what is near
   * @throws (by rejection) an error that all calls without a token are told
   */
  supply(tokens: number, least: number, far: number): Promise<Supply>
  giveBack(tokens: number): void
  /** Nothing waits any more. */
  idle?(): void
}

/**
 * For how many ms ahead tokens are reserved for calls that wait. It bounds what is lost with a process that is killed, and what
 * a store that forgets does not know of; beyond it calls wait in their process' own queue, and a process without a reservation
 * always gets one for its first call.
 */
export const NEAR = 1_000

/** A call's timeout is for its slot: the answer that tells of it may take so much longer, in ms. */
export const GRACE = 250

/** Below this many tokens per lease one process would starve the others, and little is saved. */
const FEWEST = 5

/**
 * The calls of this process that wait for one bucket, and the tokens that are reserved for them, each at its slot. One question
 * to the store is under way at a time.
 */
export class ReservedTokens {
  readonly #lease: Lease
  readonly #waiters: WaitList<Admission>
  readonly #options: ReservedTokensOptions
  #queued = 0
  /** Tokens asked for since the last question, and as a moving mean per lease. */
  #asked = 0
  #demand = 1
  #renewedAt: number
  #usedAt: number
  #renewing = false
  #asking: Promise<void> = Promise.resolve()
  #sweeping = false
  #pause: Timer | undefined = undefined

  constructor(options: ReservedTokensOptions) {
    const { name, clock, ahead } = options
    this.#options = options
    this.#lease = new Lease(Math.max(ahead, NEAR))
    this.#renewedAt = clock.now()
    this.#usedAt = this.#renewedAt
    this.#waiters = new WaitList<Admission>(
      {
        timed: true,
        dueAt: (cost, before, now) => this.#estimate(cost + before, now),
        lineUp: ({ cost }, now) => {
          const due = this.#lease.dueAt(cost, now)
          // After a stall of the event loop all that was reserved may be too old, and what waits asks no second time.
          if (due === Infinity) this.#renew(now)
          return due
        },
        admit: ({ cost, since }, now) => {
          this.#lease.take(cost)
          return { waited: now - since }
        },
        idle: () => this.#onIdle(),
      },
      { name, clock },
    )
  }

  /** Tokens reserved ahead. */
  get left(): number {
    return this.#lease.left
  }

  get counts(): WaitCounts {
    return this.#waiters
  }

  /** Takes tokens that are here, if nothing waits for them. */
  tryTake(cost: number): boolean {
    if (this.#waiters.size > 0) return false
    const now = this.#options.clock.now()
    if (this.#lease.dueAt(cost, now) > now + SLACK) return false
    this.#lease.take(cost)
    this.#note(cost, now)
    this.#renew(now)
    return true
  }

  /** Waits for tokens. @throws (by rejection) what `supply` does */
  async acquire(cost: number, options: AcquireOptions): Promise<Admission> {
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
    if (left > 0) this.#options.giveBack(left)
  }

  /** Gives back what is reserved for the time before `until`: what waits for it asks anew. */
  recall(until: number): void {
    const drained = this.#lease.drainBefore(until)
    if (drained === 0) return
    this.#options.giveBack(drained)
    this.#waiters.serve()
  }

  async close(): Promise<void> {
    this.#waiters.close()
    this.#pause?.cancel()
    this.drop()
    // What is on its way is given back when it is here.
    await this.#asking
    this.drop()
  }

  /** Asks again now, because something has changed. */
  poke(): void {
    this.#pause?.cancel()
    this.#pause = undefined
    if (this.#waiters.size > 0) this.#renew(this.#options.clock.now())
  }

  /** When so many tokens are here: known of those reserved, a lower bound of those behind them. */
  #estimate(tokens: number, now: number): number {
    const { left } = this.#lease
    if (tokens <= left) return this.#lease.dueAt(tokens, now)
    const last = left > 0 ? this.#lease.dueAt(left, now) : now
    return left > 0 ? Math.max(now, last + (tokens - left) * this.#options.interval) : now
  }

  #most(): number {
    const { ahead, interval, processes } = this.#options
    return Math.floor(ahead / interval / processes())
  }

  #note(cost: number, now: number): void {
    this.#asked += cost
    this.#usedAt = now
  }

  #renew(now: number): void {
    if (this.#renewing || this.#pause !== undefined || this.#waiters.closed) return
    const { left } = this.#lease
    const most = this.#most()
    if (most < FEWEST) {
      const { interval, processes } = this.#options
      const share = Math.max(1, NEAR / interval / processes())
      // Of a long queue a batch at a time: more are asked for when half are used up.
      const enough = this.#queued > share ? share / 2 : this.#queued - SLACK
      if (left >= enough) return
      const want = Math.min(this.#queued, share) - left
      this.#ask(left > 0 ? want : Math.max(want, this.#waiters.first?.cost ?? 0))
      return
    }
    const want = Math.min(most, Math.max(this.#demand, this.#asked, this.#queued))
    if (left - this.#queued >= want / 2) return
    const elapsed = Math.max(now - this.#renewedAt, 1)
    this.#demand += ((this.#asked * this.#options.ahead) / elapsed - this.#demand) / 2
    this.#asked = 0
    this.#renewedAt = now
    this.#ask(Math.max(1, Math.ceil(want), this.#waiters.first?.cost ?? 0))
  }

  #ask(tokens: number): void {
    this.#renewing = true
    this.#asking = this.#extend(tokens)
  }

  async #extend(tokens: number): Promise<void> {
    const { clock, supply } = this.#options
    const head = this.#waiters.first
    // Holding nothing, it may go far, though its first call is willing to wait for next to nothing.
    const alone = head !== undefined && this.#lease.left === 0
    const far = alone ? Math.max(1e-3, this.#waiters.firstDeadline - clock.now() - GRACE) : 0
    try {
      const given = await supply(tokens, head?.cost ?? 1, far)
      const now = clock.now()
      if (given.blocked > 0) this.recall(now + given.blocked)
      if (given.tokens > 0) {
        this.#lease.add(now + given.first, given.tokens, given.interval, now)
        this.#refuseLate(now)
      } else if (given.again === Infinity) this.#refuse(given.wait)
      else this.#sleep(given.again)
    } catch (error) {
      this.#fail(error as Error)
    } finally {
      this.#renewing = false
    }
    if (this.#waiters.closed) return
    this.#waiters.serve()
    if (this.#waiters.size === 0) this.#onIdle()
    else this.#renew(clock.now())
  }

  /** Tells calls at the head of the queue whose tokens come later than they are willing to wait. */
  #refuseLate(now: number): void {
    for (let first = this.#waiters.first; first !== undefined; first = this.#waiters.first) {
      const due = this.#lease.dueAt(first.cost, now)
      if (due === Infinity || due <= this.#waiters.firstDeadline - GRACE + SLACK) return
      this.#refuse(due - now)
    }
  }

  /** Tells the first call that it would wait longer than it is willing to. */
  #refuse(wait: number): void {
    const { name } = this.#options
    const { first } = this.#waiters
    if (first === undefined) return
    const error = new RateLimitedError(name, wait)
    publishRefusal(name, first.cost, wait, error)
    this.#waiters.refused++
    this.#waiters.evict(waiter => (waiter === first ? error : undefined))
  }

  /** Tells all calls for which no token is reserved. */
  #fail(error: Error): void {
    let left = this.#lease.left
    this.#waiters.evict(({ cost }) => {
      left -= cost
      return left < -SLACK ? error : undefined
    })
  }

  #sleep(ms: number): void {
    this.#pause = setAwaitedTimer(this.#options.clock, () => this.poke(), Math.max(1, ms))
  }

  #onIdle(): void {
    if (this.#renewing) return
    this.#pause?.cancel()
    this.#pause = undefined
    if (this.#options.ahead === 0 || this.#most() < FEWEST) this.drop()
    else this.#sweep()
    this.#options.idle?.()
  }

  /** Gives tokens back that nothing has asked for during one lease. */
  #sweep(): void {
    if (this.#sweeping || this.#lease.left === 0) return
    this.#sweeping = true
    const { clock, ahead } = this.#options
    clock.setTimer(() => {
      this.#sweeping = false
      if (this.#waiters.size > 0 || clock.now() - this.#usedAt < ahead) this.#sweep()
      else this.drop()
    }, ahead)
  }
}
