import { checkOptions, describeStats } from '@millrace/kit'
import {
  type SemaphoreAcquireOptions,
  semaphoreOptionsOf,
  weightOf,
} from '../../semaphore/semaphore-acquire.ts'
import type { RedisPermit } from './redis-permit.ts'
import {
  REDIS_SEMAPHORE_OPTIONS,
  REDIS_SEMAPHORE_STATS_KINDS,
  type RedisSemaphoreOptions,
  type RedisSemaphoreStats,
} from './semaphore-options.ts'
import { SharedSemaphore } from './shared-semaphore.ts'

/**
 * At most `permits` holders over all processes. A holder that dies loses its permit after `ttl`; one that lives but
 * cannot renew it is told by its signal in time, and what it guards can tell it by its fencing token. In order within a
 * process; between processes the one that asks first.
 */
export class RedisSemaphore {
  readonly #semaphore: SharedSemaphore

  constructor(options: RedisSemaphoreOptions) {
    this.#semaphore = new SharedSemaphore(checkOptions('', options, REDIS_SEMAPHORE_OPTIONS))
  }

  get name(): string {
    return this.#semaphore.name
  }

  /**
   * `weight` permits, if they are free now and nothing in this process waits.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} where `whenDown` gives this process nothing; {LimiterClosedError}
   */
  tryAcquire(weight = 1): Promise<RedisPermit | undefined> {
    return this.#semaphore.tryAcquire(weight)
  }

  /**
   * `weight` permits as one, after waiting for it if need be: `await using permit = await semaphore.acquire()`.
   *
   * @throws (by rejection) {AcquireTimeoutError}; `signal.reason` on abort; {QueueFullError}; {LimiterClosedError};
   *   {LimitStoreUnavailableError} as {@link tryAcquire} does; {InvalidOptionError}
   */
  acquire(weight: number, options?: SemaphoreAcquireOptions): Promise<RedisPermit>
  acquire(options?: SemaphoreAcquireOptions): Promise<RedisPermit>
  async acquire(
    first?: number | SemaphoreAcquireOptions,
    second?: SemaphoreAcquireOptions,
  ): Promise<RedisPermit> {
    const options = semaphoreOptionsOf(first, second)
    const weight = weightOf(first, options)
    return this.#semaphore.acquire(weight, options)
  }

  /** Runs `fn` with a permit and gives it back however that ends; its signal aborts when the permit is lost. */
  run<R>(
    fn: (permit: RedisPermit) => R | PromiseLike<R>,
    options?: SemaphoreAcquireOptions,
  ): Promise<R> {
    return this.#semaphore.run(fn, options)
  }

  stats(): RedisSemaphoreStats {
    return this.#semaphore.stats()
  }

  /**
   * Ends all waits with {@link LimiterClosedError}, releases what this process holds, and refuses what asks for permits from now on.
   */
  close(): Promise<void> {
    return this.#semaphore.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

describeStats<RedisSemaphoreStats>(RedisSemaphore.prototype, REDIS_SEMAPHORE_STATS_KINDS)
