import { type Clock, setAwaitedTimer, type Timer } from '@millrace/kit'
import type { Invalidation } from '../bus/invalidation-bus.ts'
import type { RecoveryQueue } from './recovery-queue.ts'

/** What a {@link Recovery} needs. */
export interface RecoveryOptions {
  readonly clock: Clock
  /** What has to be repeated. */
  readonly queue: RecoveryQueue
  /** ms between attempts. */
  readonly interval: number
  /** Repeats one invalidation, and rejects if that fails. */
  readonly repeat: (invalidation: Invalidation) => Promise<void>
}

/** Failures after which the rest is left for the next attempt. */
const FAILURES_AT_MOST = 3

/** Repeats what did not arrive until it does. A timer runs only while something is pending. */
export class Recovery {
  readonly #options: RecoveryOptions
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #closed = false
  /** Nothing is repeated any more. */
  #over = false
  /** Invalidations that arrived at last. */
  repeated = 0

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  get pending(): number {
    return this.#options.queue.size
  }

  /** As `RecoveryQueue.add`. */
  add(invalidations: readonly Invalidation[], order?: number): void {
    this.#options.queue.add(invalidations, order)
    this.#schedule()
  }

  /** One attempt to repeat everything that is pending. Never rejects. */
  attempt(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      this.#schedule()
    })
    return this.#running
  }

  /** Tries once more, for `limit` ms at most, then gives up. */
  async close(limit: number): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    const { clock, queue } = this.#options
    if (queue.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setAwaitedTimer(clock, resolve, limit)
    await Promise.race([this.attempt(), promise])
    timer.cancel()
    this.#over = true
  }

  async #run(): Promise<void> {
    const { queue, repeat } = this.#options
    let failures = 0
    for (const invalidation of queue.list()) {
      if (this.#over) return
      if (!queue.isDue(invalidation)) continue
      try {
        await repeat(invalidation)
      } catch {
        // It stays in the queue, behind the others, and is tried again.
        queue.postpone(invalidation)
        if (++failures === FAILURES_AT_MOST) return
        continue
      }
      queue.remove(invalidation)
      this.repeated++
    }
  }

  #schedule(): void {
    const { clock, queue, interval } = this.#options
    if (this.#closed || this.#timer !== undefined || queue.size === 0) return
    this.#timer = clock.setTimer(() => {
      this.#timer = undefined
      void this.attempt()
    }, interval)
  }
}
