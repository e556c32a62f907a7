import type { Clock } from '@millrace/kit'
import type { Decision } from '../../limiter/rate-limiter.ts'
import type { StoreGuard } from '../client/store-guard.ts'
import type { Reply, Script } from '../scripts/script.ts'
import { clearScript, enterScript, forgetScript, takeScript } from '../scripts/window-scripts.ts'
import { StoreTimeline } from './store-timeline.ts'

/** Permits that passed together. */
export interface WindowGrant {
  /** A name that is used once: it makes entering the grant again harmless. */
  readonly nonce: string
  readonly cost: number
  /** When they were asked for, ms on the local clock. */
  readonly at: number
}

export interface WindowStoreOptions {
  readonly guard: StoreGuard
  readonly clock: Clock
  readonly limit: number
  /** In ms. */
  readonly window: number
  /** Hears that other settings rule than this process has. */
  overruled(limit: number, window: number): void
}

/** Exact sliding windows in Redis: the scripts in ms instead of microseconds. One round trip per call. */
export class WindowStore {
  readonly #options: WindowStoreOptions
  readonly #timeline: StoreTimeline

  constructor(options: WindowStoreOptions) {
    this.#options = options
    this.#timeline = new StoreTimeline(options.clock)
  }

  /** @param late hears of permits that were given when nothing waited for them any more */
  take(key: string, { nonce, cost }: WindowGrant, late: () => void): Promise<Decision> {
    return this.#run(
      takeScript,
      key,
      [cost, nonce],
      ([granted]) => granted === 1 && cost > 0 && late(),
    )
  }

  /** Enters what passed without the store, with its age; what has left the window is left out. */
  async enter(key: string, grants: readonly WindowGrant[]): Promise<void> {
    const { clock, window } = this.#options
    const now = clock.now()
    const args = grants
      .filter(({ at }) => now - at < window)
      .flatMap(({ at, nonce, cost }) => [Math.round((now - at) * 1_000), nonce, cost])
    if (args.length > 0) await this.#run(enterScript, key, args)
  }

  /** Takes permits back, however often. */
  async forget(key: string, { nonce, cost }: WindowGrant): Promise<void> {
    await this.#run(forgetScript, key, [nonce, cost])
  }

  async clear(key: string): Promise<void> {
    await this.#run(clearScript, key, [])
  }

  async #run(
    script: Script,
    key: string,
    rest: readonly (string | number)[],
    late?: (reply: Reply) => unknown,
  ): Promise<Decision> {
    const { guard, clock, limit, window, overruled } = this.#options
    const sent = clock.now()
    const args = [...this.#timeline.args(sent), limit, window * 1_000, ...rest]
    const reply = await guard.run(script, [key, `${key}:state`], args, late)
    const [granted, wait, left, reset, now, since, ruling, us] = reply.map(Number) as Numbers
    this.#timeline.note(now, since, sent)
    if (ruling !== limit || us !== window * 1_000) overruled(ruling, us / 1_000)
    return {
      allowed: granted === 1,
      limit: ruling,
      remaining: left,
      resetAfter: reset / 1_000,
      retryAfter: wait / 1_000,
    }
  }
}

type Numbers = [number, number, number, number, number, number, number, number]
