import type { Clock } from '@millrace/kit'
import type { Reply, Script } from '../client/script.ts'
import type { StoreGuard } from '../client/store-guard.ts'
import type { StoreClocks } from '../clock/store-clocks.ts'
import {
  enterScript,
  leaveScript,
  renewScript,
  restoreScript,
} from '../scripts/semaphore-scripts.ts'
import { newHolder, type Place } from './held-permits.ts'

interface SemaphoreKeys {
  readonly holders: string
  readonly state: string
  /** The channel on which processes that wait hear of released permits. */
  readonly channel: string
}

export interface SemaphoreStoreOptions {
  readonly guard: StoreGuard
  readonly clock: Clock
  readonly clocks: StoreClocks
  readonly keys: SemaphoreKeys
  readonly permits: number
  /** In ms. */
  readonly ttl: number
  readonly losses: LossNews
  /** Hears that other settings rule than this process has. */
  overruled(permits: number): void
}

/** What semaphores of one store tell each other of a loss that one of them has found: what another one has not asked before was lost, too. */
export interface LossNews {
  /** Until when it concerns them, ms on the local clock. */
  until: number
  /** When nothing had been lost yet, us of the server's clock. */
  sound: number
}

export function newLossNews(): LossNews {
  return { until: -Infinity, sound: 0 }
}

/** What this process knows of the state in Redis: by it a loss is found. */
interface Mark {
  lineage: number
  counter: number
  /** The longest ttl of all processes, us. */
  longest: number
  /** When it was heard, ms on the local clock. */
  at: number
}

/** An unused state lives for ten times the longest ttl: what was heard half of that ago, or later, must be there still. */
const LONGEST_TTLS = 5

/** What the scripts' answers begin with, before what is their own. */
type Head = [
  now: number,
  since: number,
  permits: number,
  lineage: number,
  counter: number,
  longest: number,
]
const HEAD = 6

/** What became of a wish to enter. */
export type Entry =
  | { granted: true; value: Place }
  /** `paused`: nothing enters for so long, as what held a permit in a state that was lost is awaited. */
  | { granted: false; retryIn: number; paused: boolean }

/** A semaphore in Redis: the scripts in ms instead of microseconds. One round trip per call. */
export class SemaphoreStore {
  readonly #options: SemaphoreStoreOptions
  readonly #mark: Mark = { lineage: 0, counter: 0, longest: 0, at: 0 }
  /** How many may be inside by the settings that rule. */
  permits: number

  constructor(options: SemaphoreStoreOptions) {
    this.#options = options
    this.permits = options.permits
  }

  /** @param late hears of a holder that was let in when nothing waited for it any more */
  async enter(weight: number, late: (holder: string) => void): Promise<Entry> {
    const holder = newHolder(weight)
    const { clock, ttl } = this.#options
    // Counted from before the call: what the server counts ends later.
    const until = clock.now() + ttl
    const [granted, value] = (await this.#run(
      enterScript,
      [holder],
      reply => Number(reply[HEAD]) === 1 && late(holder),
    )) as [number, number]
    if (granted === 1) return { granted: true, value: { holder, weight, fence: value, until } }
    return { granted: false, retryIn: Math.max(0, value / 1_000), paused: granted === -1 }
  }

  /** @returns 1 or 0 for each: 0 if its place was lost */
  renew(holders: readonly string[]): Promise<number[]> {
    return this.#run(renewScript, holders)
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

  async #run(
    script: Script,
    own: readonly string[],
    late?: (reply: Reply) => unknown,
  ): Promise<number[]> {
    const { clock, clocks, guard, keys, permits, ttl, losses } = this.#options
    const timeline = clocks.known(guard, keys.state) ?? (await clocks.meet(guard, keys.state))
    const sent = clock.now()
    const mark = this.#mark
    if (sent - mark.at > (LONGEST_TTLS * mark.longest) / 1_000) mark.lineage = mark.longest = 0
    // Below 0: a state that began after that time may have followed on one that was lost.
    const knew = mark.lineage === 0 && sent < losses.until ? -losses.sound : mark.lineage
    const rest = [permits, ttl * 1_000, knew, mark.counter, mark.longest, ...own]
    const args = [...timeline.args(sent), ...rest]
    const reply = await guard.run(script, [keys.holders, keys.state], args, late)
    const [now, since, ruling, lineage, counter, longest] = reply.map(Number) as Head
    if (mark.lineage !== 0 && mark.lineage !== lineage) {
      losses.sound = timeline.answered
      losses.until = clock.now() + longest / 2_000
    }
    clocks.note(guard, keys.state, timeline, { now, since, sent })
    // Answers keep the order of calls, but for those of another lineage, which tell of a loss.
    mark.counter = lineage === mark.lineage ? Math.max(mark.counter, counter) : counter
    mark.lineage = lineage
    mark.longest = longest
    mark.at = sent
    this.permits = ruling
    if (ruling !== permits) this.#options.overruled(ruling)
    return reply.slice(HEAD).map(Number)
  }
}
