import { randomUUID } from 'node:crypto'
import type { Clock } from '@millrace/kit'
import type { StoreGuard } from '../client/store-guard.ts'
import type { Place } from '../limiters/held-permits.ts'
import type { Attempt } from '../limiters/remote-queue.ts'
import type { Reply, Script } from '../scripts/script.ts'
import {
  enterScript,
  leaveScript,
  renewScript,
  restoreScript,
} from '../scripts/semaphore-scripts.ts'
import { StoreTimeline } from './store-timeline.ts'

interface SemaphoreKeys {
  readonly holders: string
  readonly state: string
  /** The channel on which processes that wait hear of released permits. */
  readonly channel: string
}

export interface SemaphoreStoreOptions {
  readonly guard: StoreGuard
  readonly clock: Clock
  readonly keys: SemaphoreKeys
  readonly permits: number
  /** In ms. */
  readonly ttl: number
  /** Hears that other settings rule than this process has. */
  overruled(permits: number): void
}

/** A semaphore in Redis: the scripts in ms instead of microseconds. One round trip per call. */
export class SemaphoreStore {
  readonly #options: SemaphoreStoreOptions
  readonly #timeline: StoreTimeline

  constructor(options: SemaphoreStoreOptions) {
    this.#options = options
    this.#timeline = new StoreTimeline(options.clock)
  }

  /** @param late hears of a holder that was let in when nothing waited for it any more */
  async enter(weight: number, late: (holder: string) => void): Promise<Attempt<Place>> {
    const holder = weight === 1 ? randomUUID() : `${randomUUID()}*${weight}`
    const { clock, ttl } = this.#options
    // Counted from before the call: what the server counts ends later.
    const until = clock.now() + ttl
    const [granted, value] = await this.#run(
      enterScript,
      [holder],
      ([entered]) => entered === 1 && late(holder),
    )
    if (granted === 1) {
      return { granted: true, value: { holder, weight, fence: Number(value), until } }
    }
    return { granted: false, retryIn: Math.max(0, Number(value) / 1_000) }
  }

  /** @returns 1 or 0 for each: 0 if its place was lost */
  async renew(holders: readonly string[]): Promise<number[]> {
    const { clock, guard } = this.#options
    const sent = clock.now()
    const reply = await guard.run(renewScript, this.#keys, this.#args(sent, holders))
    const [now, since, permits, ...kept] = reply.map(Number) as [number, number, number]
    this.#timeline.note(now, since, sent)
    this.#rule(permits)
    return kept
  }

  /** Enters a holder that passed without the store, whether there is room or not. */
  async restore(place: Place): Promise<void> {
    const until = this.#options.clock.now() + this.#options.ttl
    await this.#run(restoreScript, [place.holder])
    place.until = until
  }

  async leave(holder: string): Promise<void> {
    await this.#run(leaveScript, [holder, this.#options.keys.channel])
  }

  get #keys(): readonly string[] {
    const { holders, state } = this.#options.keys
    return [holders, state]
  }

  #args(now: number, rest: readonly string[]): (number | string)[] {
    const { permits, ttl } = this.#options
    return [...this.#timeline.args(now), permits, ttl * 1_000, ...rest]
  }

  async #run(
    script: Script,
    rest: readonly string[],
    late?: (reply: Reply) => unknown,
  ): Promise<Reply> {
    const { clock, guard } = this.#options
    const sent = clock.now()
    const reply = await guard.run(script, this.#keys, this.#args(sent, rest), late)
    this.#timeline.note(Number(reply[2]), Number(reply[3]), sent)
    this.#rule(Number(reply[4]))
    return reply
  }

  #rule(permits: number): void {
    if (permits !== this.#options.permits) this.#options.overruled(permits)
  }
}
