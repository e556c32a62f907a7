import type { Clock } from '@millrace/cache-core'
import { StoreClosedError } from '@millrace/cache-core/store'
import type { Invalidation } from '@millrace/cache-core/tiered'
import type { Client } from '../connection/client.ts'
import { RedisTimeoutError, RedisUnavailableError } from '../errors.ts'
import { RecoveryQueue } from './recovery-queue.ts'

/** ms until failed invalidations are repeated: the first time, and the most. Twice as long each time in between. */
const FIRST_REPEAT = 100
const LATEST_REPEAT = 5_000

/** Repeats what failed until it is done: soon after, when there is a connection again, and from time to time. */
export class Recovery {
  readonly queue: RecoveryQueue
  readonly #clock: Clock
  readonly #client: Client
  readonly #repeat: (invalidation: Invalidation) => Promise<unknown>
  readonly #onReady = (): void => void this.#run()
  #timer: { cancel(): void } | undefined
  #delay = FIRST_REPEAT
  #running = false
  #closed = false
  /** Invalidations that were carried out in the end. */
  repeated = 0

  /** @param repeat carries one out, or rejects */
  constructor(
    limit: number,
    client: Client,
    clock: Clock,
    repeat: (invalidation: Invalidation) => Promise<unknown>,
  ) {
    this.queue = new RecoveryQueue(limit)
    this.#client = client
    this.#clock = clock
    this.#repeat = repeat
    client.on('ready', this.#onReady)
  }

  /** Notes that invalidations failed with `error`, if that leaves open whether they took effect. */
  failed(error: unknown, invalidations: readonly Invalidation[]): void {
    if (this.#closed || error instanceof StoreClosedError) return
    if (!(error instanceof RedisTimeoutError || error instanceof RedisUnavailableError)) return
    for (const invalidation of invalidations) this.queue.add(invalidation)
    this.#schedule()
  }

  close(): void {
    this.#closed = true
    this.#client.off('ready', this.#onReady)
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
    try {
      const waiting = this.queue.list()
      // One alone first: while it fails, the others would, too.
      await this.#one(waiting[0]!)
      await Promise.all(waiting.slice(1).map(invalidation => this.#one(invalidation)))
      this.#delay = FIRST_REPEAT
    } catch {
      // It stays in the queue; the failure is counted by the connection.
    } finally {
      this.#running = false
      if (this.queue.size !== 0) this.#schedule()
    }
  }

  async #one(invalidation: Invalidation): Promise<void> {
    await this.#repeat(invalidation)
    this.queue.done(invalidation)
    this.repeated++
  }
}
