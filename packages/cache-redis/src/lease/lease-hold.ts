import type { Clock, Timer } from '@millrace/cache-core'
import type { LeaseHold } from '@millrace/cache-core/tiered'

/** The right to load a key, renewed until it is released. */
export interface RedisLeaseHold extends LeaseHold {
  /** Grows from holder to holder of a key: what else the load changes may refuse a smaller one. */
  readonly token: number
  /** Aborts when the lease was lost, as it could not be renewed in time. */
  readonly signal: AbortSignal
}

/** Calls of Redis that a hold makes. */
export interface LeaseCalls {
  /** Whether the lease was still there to be extended. */
  keep(): Promise<boolean>
  drop(): Promise<unknown>
}

/** Parts of a lease's life after which it is renewed. */
const RENEWALS = 3

export class RenewedHold implements RedisLeaseHold {
  readonly token: number
  readonly #calls: LeaseCalls
  readonly #clock: Clock
  readonly #ttl: number
  readonly #lost = new AbortController()
  readonly #done: () => void
  #kept: number
  #timer: Timer
  #released = false

  /** @param done called once, when it is no longer held */
  constructor(token: number, ttl: number, calls: LeaseCalls, clock: Clock, done: () => void) {
    this.token = token
    this.#ttl = ttl
    this.#calls = calls
    this.#clock = clock
    this.#done = done
    this.#kept = clock.now()
    this.#timer = this.#schedule()
  }

  get signal(): AbortSignal {
    return this.#lost.signal
  }

  async release(): Promise<void> {
    if (!this.#end()) return
    try {
      await this.#calls.drop()
    } catch {
      // Then it runs out; the failure is counted by the connection.
    }
  }

  /** Stops renewing it, so that it runs out. */
  abandon(): void {
    this.#end()
  }

  #end(): boolean {
    if (this.#released) return false
    this.#released = true
    this.#timer.cancel()
    this.#done()
    return true
  }

  #schedule(): Timer {
    return this.#clock.setTimer(() => void this.#renew(), this.#ttl / RENEWALS)
  }

  async #renew(): Promise<void> {
    const now = this.#clock.now()
    try {
      if (!(await this.#calls.keep())) this.#lose()
      else this.#kept = now
    } catch {
      // Counted by the connection. Perhaps the next one comes in time.
      if (this.#clock.now() - this.#kept >= this.#ttl) this.#lose()
    }
    if (!this.#released) this.#timer = this.#schedule()
  }

  #lose(): void {
    if (this.#end()) this.#lost.abort(new Error('The lease was lost'))
  }
}
