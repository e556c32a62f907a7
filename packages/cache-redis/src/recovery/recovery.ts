import type { Clock } from '@millrace/cache-core'
import { StoreClosedError } from '@millrace/cache-core/store'
import type { Invalidation } from '@millrace/cache-core/tiered'
import type { Client } from '../connection/client.ts'
import { ClientEvents } from '../connection/client-events.ts'
import { RedisTimeoutError, RedisUnavailableError } from '../errors.ts'
import { RecoveryQueue, type Unconfirmed } from './recovery-queue.ts'

/** ms until failed invalidations are repeated: the first time, and the most. Twice as long each time in between. */
const FIRST_REPEAT = 100
const LATEST_REPEAT = 5_000

/** How invalidations are repeated. */
export interface RecoveryMethod {
  /** Carries one out, or rejects. */
  repeat(invalidation: Invalidation): Promise<unknown>
  /** What it depends on: of those with the same lane one is tried alone first, as the others would fail, too. */
  laneOf(invalidation: Invalidation): number
}

/** Calls under way that concern one key. */
interface KeyCalls {
  count: number
  /** The latest of them that has made it known what the key holds. */
  settled: number
}

/**
 * Repeats what failed until it is done: soon after, when there is a connection again, and from time to time. The newest call wins: what
 * succeeded after a failed call had begun is neither repeated away nor waited for in vain.
 */
export class Recovery {
  readonly queue: RecoveryQueue
  readonly #clock: Clock
  readonly #events: ClientEvents
  readonly #how: RecoveryMethod
  readonly #onReady = (): void => void this.#run()
  readonly #underWay = new Map<string, KeyCalls>()
  #calls = 0
  #timer: { cancel(): void } | undefined
  #delay = FIRST_REPEAT
  #running = false
  #closed = false
  /** Invalidations that were carried out in the end. */
  repeated = 0

  constructor(limit: number, client: Client, clock: Clock, how: RecoveryMethod) {
    this.queue = new RecoveryQueue(limit)
    this.#events = ClientEvents.of(client)
    this.#clock = clock
    this.#how = how
    this.#events.on('ready', this.#onReady)
  }

  /** A call begins. Its number says which of two that concern the same is the newer one. */
  begin(): number {
    return ++this.#calls
  }

  /** A call that changes the value of a key is under way, until it leaves; its outcome decides whether the key is repeated. */
  enter(key: string): void {
    const calls = this.#underWay.get(key)
    if (calls === undefined) this.#underWay.set(key, { count: 1, settled: 0 })
    else calls.count++
  }

  leave(key: string): void {
    const calls = this.#underWay.get(key)!
    if (--calls.count === 0) this.#underWay.delete(key)
  }

  /**
   * Notes that the invalidations of a call failed with `error`, if that leaves open whether they took effect.
   *
   * @param until when what was sent may still take effect, where that would do harm
   */
  failed(
    error: unknown,
    invalidations: readonly Invalidation[],
    order: number = this.begin(),
    until: number = -Infinity,
  ): void {
    if (this.#closed || error instanceof StoreClosedError) return
    if (!(error instanceof RedisTimeoutError || error instanceof RedisUnavailableError)) return
    for (const { verb, target, name } of invalidations) {
      const settled = target === 'key' ? (this.#underWay.get(name)?.settled ?? 0) : 0
      if (settled > order && until <= this.#clock.now()) continue
      this.queue.add({ verb, target, name, order, until })
    }
    this.#schedule()
  }

  /** A call has succeeded. A write makes as much good as a delete of its key does. */
  succeeded(
    verb: Invalidation['verb'],
    target: Invalidation['target'],
    name: string,
    order: number,
  ): void {
    if (target === 'key' && verb === 'delete') {
      const calls = this.#underWay.get(name)
      if (calls !== undefined) calls.settled = Math.max(calls.settled, order)
    }
    if (this.queue.size === 0) return
    this.queue.overtake({ verb, target, name, order }, this.#clock.now())
  }

  close(): void {
    this.#closed = true
    this.#events.off('ready', this.#onReady)
    this.#timer?.cancel()
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#running || this.#closed) return
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined
      void this.#run()
    }, this.#delay)
    this.#delay = Math.min(this.#delay * 2, LATEST_REPEAT)
  }

  async #run(): Promise<void> {
    if (this.#running || this.#closed || this.queue.size === 0) return
    this.#running = true
    const due = this.queue.list().filter(waiting => this.#isDue(waiting))
    const lanes = Map.groupBy(due, waiting => this.#how.laneOf(waiting))
    // What fails stays in the queue; the failure is counted by the connection.
    const ends = await Promise.allSettled(Array.from(lanes.values(), lane => this.#runLane(lane)))
    if (due.length > 0 && ends.every(({ status }) => status === 'fulfilled')) {
      this.#delay = FIRST_REPEAT
    }
    this.#running = false
    if (this.queue.size !== 0) this.#schedule()
  }

  async #runLane([first, ...others]: readonly Unconfirmed[]): Promise<void> {
    await this.#one(first!)
    await Promise.all(others.map(waiting => this.#one(waiting)))
  }

  async #one(waiting: Unconfirmed): Promise<void> {
    if (!this.#isDue(waiting)) return
    await this.#how.repeat(waiting)
    this.queue.done(waiting)
    this.repeated++
  }

  /**
   * Whether it may be repeated now. Not before a write that was sent cannot land any more, or it would land behind the repetition; nor
   * beside another call for the key, whose outcome decides.
   */
  #isDue(waiting: Unconfirmed): boolean {
    if (waiting.target === 'key' && this.#underWay.has(waiting.name)) return false
    return waiting.until <= this.#clock.now() && this.queue.has(waiting)
  }
}
