import type { Clock } from '../../clock.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import type { StoreGuard } from '../client/store-guard.ts'
import { enterScript, forgetScript, takeScript } from '../scripts/window-scripts.ts'

/** Permits that passed together. */
export interface WindowGrant {
  /** A name that is used once: it makes entering the grant again harmless. */
  readonly nonce: string
  readonly cost: number
  /** When they were asked for, ms on the local clock. */
  readonly at: number
}

/** An exact sliding window in Redis: the scripts in ms instead of microseconds. One round trip per call. */
export class WindowStore {
  readonly #guard: StoreGuard
  readonly #keys: readonly string[]
  readonly #limit: number
  readonly #window: number
  readonly #clock: Clock

  constructor(guard: StoreGuard, key: string, limit: number, window: number, clock: Clock) {
    this.#guard = guard
    this.#keys = [key]
    this.#limit = limit
    this.#window = window
    this.#clock = clock
  }

  /** @param late hears of permits that were given when nobody waited for them any more */
  async take({ nonce, cost }: WindowGrant, late: () => void): Promise<Decision> {
    const args = [this.#window * 1_000, this.#limit, cost, nonce]
    const reply = await this.#guard.run(
      takeScript,
      this.#keys,
      args,
      ([granted]) => granted === 1 && late(),
    )
    const [granted, wait, remaining, reset] = reply as [number, number, number, number]
    return {
      allowed: granted === 1,
      limit: this.#limit,
      remaining,
      resetAfter: reset / 1_000,
      retryAfter: wait / 1_000,
    }
  }

  /** Enters what passed without the store, with its age; what has left the window is left out. */
  async enter(grants: readonly WindowGrant[]): Promise<void> {
    const now = this.#clock.now()
    const args = grants
      .filter(({ at }) => now - at < this.#window)
      .flatMap(({ at, nonce, cost }) => [Math.round((now - at) * 1_000), nonce, cost])
    if (args.length === 0) return
    await this.#guard.run(enterScript, this.#keys, [this.#window * 1_000, ...args])
  }

  /** Takes permits back, however often. */
  async forget({ nonce, cost }: WindowGrant): Promise<void> {
    await this.#guard.run(forgetScript, this.#keys, [this.#window * 1_000, nonce, cost])
  }
}
