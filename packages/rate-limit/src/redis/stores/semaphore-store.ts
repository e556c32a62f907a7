import { randomUUID } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import type { StoreGuard } from '../client/store-guard.ts'
import type { Place } from '../limiters/held-permits.ts'
import type { Attempt } from '../limiters/remote-queue.ts'
import {
  enterScript,
  leaveScript,
  renewScript,
  restoreScript,
} from '../scripts/semaphore-scripts.ts'

export interface SemaphoreKeys {
  readonly holders: string
  readonly fence: string
  /** The channel on which processes that wait hear of released permits. */
  readonly channel: string
}

/** A semaphore in Redis: the scripts in ms instead of microseconds. One round trip per call. */
export class SemaphoreStore {
  readonly #guard: StoreGuard
  readonly #keys: SemaphoreKeys
  readonly #permits: number
  readonly #ttl: number
  readonly #clock: Clock

  constructor(guard: StoreGuard, keys: SemaphoreKeys, permits: number, ttl: number, clock: Clock) {
    this.#guard = guard
    this.#keys = keys
    this.#permits = permits
    this.#ttl = ttl
    this.#clock = clock
  }

  /** @param late hears of a holder who was let in when nobody waited for it any more */
  async enter(late: (holder: string) => void): Promise<Attempt<Place>> {
    const { holders, fence } = this.#keys
    const holder = randomUUID()
    // Counted from before the call: what the server counts ends later.
    const until = this.#clock.now() + this.#ttl
    const args = [this.#ttl * 1_000, this.#permits, holder]
    const [granted, value] = await this.#guard.run(
      enterScript,
      [holders, fence],
      args,
      ([entered]) => entered === 1 && late(holder),
    )
    if (granted === 1) return { granted: true, value: { holder, fence: value!, until } }
    return { granted: false, retryIn: value! / 1_000 }
  }

  /** @returns 1 or 0 for each: 0 if its place was lost */
  renew(holders: readonly string[]): Promise<number[]> {
    const args = [this.#ttl * 1_000, this.#permits, ...holders]
    return this.#guard.run(renewScript, [this.#keys.holders], args)
  }

  /** Enters a holder that passed without the store, whether there is room or not. */
  async restore(place: Place): Promise<void> {
    const until = this.#clock.now() + this.#ttl
    await this.#guard.run(restoreScript, [this.#keys.holders], [this.#ttl * 1_000, place.holder])
    place.until = until
  }

  async leave(holder: string): Promise<void> {
    const { holders, channel } = this.#keys
    await this.#guard.run(leaveScript, [holders], [this.#ttl * 1_000, holder, channel])
  }
}
