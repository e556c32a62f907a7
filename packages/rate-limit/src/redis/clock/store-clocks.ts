import type { Clock } from '@millrace/kit'
import type { StoreGuard } from '../client/store-guard.ts'
import { hearScript, tellScript } from '../scripts/clock-scripts.ts'
import { type ClockStep, StoreTimeline } from './store-timeline.ts'

export interface StoreClocksOptions {
  readonly clock: Clock
  /** What keys of the limiter that name none of its own begin with. */
  readonly key: string
  readonly lives: StateLives
}

/** What a step forward of the store's clock means for the states of a limiter. */
export interface StateLives {
  /** For how many ms of real time a state that is missing may have had to live still, at most. */
  readonly missing: number
  /** For how long a state is kept that nothing is done to, ms. */
  readonly kept: number
  /** Hears of a step forward. */
  stepped?(): void
}

/**
 * The clocks of a limiter's store: one, or in a Cluster one per node. A step forward that a process notices is left in the store for as
 * long as states may be missing because of it: a process that has just begun could not know, and asks for it before its first call.
 */
export class StoreClocks {
  readonly #options: StoreClocksOptions
  readonly #timelines = new Map<string, StoreTimeline>()
  readonly #meeting = new Map<string, Promise<StoreTimeline>>()

  constructor(options: StoreClocksOptions) {
    this.#options = options
  }

  /** The clock of the node that has the key, if it is known already. */
  known(guard: StoreGuard, key: string): StoreTimeline | undefined {
    return this.#timelines.get(guard.nodeOf(key))
  }

  /** Asks for what is left of it in the store. One round trip per node. @throws (by rejection) {LimitStoreUnavailableError} */
  meet(guard: StoreGuard, key: string): Promise<StoreTimeline> {
    const node = guard.nodeOf(key)
    let meeting = this.#meeting.get(node)
    if (meeting === undefined) {
      meeting = this.#hear(guard, node).finally(() => this.#meeting.delete(node))
      this.#meeting.set(node, meeting)
    }
    return meeting
  }

  /** Notes what an answer says of the clock of the node that has the key. */
  note(
    guard: StoreGuard,
    key: string,
    timeline: StoreTimeline,
    answer: { readonly now: number; readonly since: number; readonly sent: number },
  ): void {
    const step = timeline.note(answer.now, answer.since, answer.sent)
    if (step === undefined) return
    this.#tell(guard, guard.nodeOf(key), step)
    if (step.by > 0) this.#options.lives.stepped?.()
  }

  /** The same of an answer to a call that is no limiter's. */
  heard(
    guard: StoreGuard,
    key: string,
    answer: { readonly now: number; readonly sent: number },
  ): void {
    const timeline = this.known(guard, key)
    if (timeline === undefined || timeline.answered === 0) return
    this.note(guard, key, timeline, { ...answer, since: 0 })
  }

  async #hear(guard: StoreGuard, node: string): Promise<StoreTimeline> {
    const { clock, lives } = this.#options
    const reply = await guard.run(hearScript, [this.#record(node)], [])
    const timeline = new StoreTimeline(clock, lives.missing * 1_000)
    const [until, by, at] = reply.map(Number)
    if (by !== undefined) timeline.learn({ until: until!, by, at: at!, answered: 0 })
    this.#timelines.set(node, timeline)
    return timeline
  }

  #tell(guard: StoreGuard, node: string, { until, by, at, answered }: ClockStep): void {
    const args = [until, by, at, answered, Math.ceil(this.#options.lives.kept)]
    // Only processes that begin meanwhile would have heard of it.
    guard.run(tellScript, [this.#record(node)], args).catch(() => {})
  }

  #record(node: string): string {
    return `${this.#options.key}:clock${node === '' ? '' : `:${node}`}`
  }
}
