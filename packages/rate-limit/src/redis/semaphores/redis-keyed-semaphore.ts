import { checkOptions, describeStats, gauges, type OptionNames } from '@millrace/kit'
import { LimiterClosedError } from '../../errors.ts'
import type { SemaphoreAcquireOptions } from '../../semaphore/semaphore-acquire.ts'
import { keyPart } from '../limit/key-part.ts'
import { REDIS_LIMIT_OPTIONS } from '../limit/redis-limit.ts'
import type { RedisPermit } from './redis-permit.ts'
import { RedisSemaphore, type StoreNews } from './redis-semaphore.ts'
import type { RedisSemaphoreOptions } from './semaphore-options.ts'

/** `permits` and `maxQueue` are those of each key. */
export type RedisKeyedSemaphoreOptions = Omit<RedisSemaphoreOptions, 'order' | 'subscriber'>

const NAMES: OptionNames<RedisKeyedSemaphoreOptions> = {
  ...REDIS_LIMIT_OPTIONS,
  permits: true,
  ttl: true,
  poll: true,
  whenDown: true,
  maxQueue: true,
}

export interface RedisKeyedSemaphoreStats {
  /** Keys that are in use in this process: held, waited for, or owed to Redis. */
  keys: number
  active: number
  waiting: number
  /** Permits lost while they were held. */
  lost: number
}

/**
 * A {@link RedisSemaphore} per key, such as one export at a time per account, over all processes. Only keys in use take memory; in
 * Redis a key is gone ten times `ttl` after its last use.
 */
export class RedisKeyedSemaphore {
  readonly keyed = true
  readonly name: string
  readonly #options: RedisKeyedSemaphoreOptions
  readonly #semaphores = new Map<string, RedisSemaphore>()
  readonly #news: StoreNews
  #lost = 0
  #closed = false

  constructor(options: RedisKeyedSemaphoreOptions) {
    checkOptions('', options, NAMES)
    // Finds mistakes in options before the first key comes.
    const { name, news } = new RedisSemaphore(options)
    this.name = name
    this.#news = news
    this.#options = { ...options, name: this.name }
  }

  /** As {@link RedisSemaphore.tryAcquire}, of a key. */
  tryAcquire(key: string, weight = 1): Promise<RedisPermit | undefined> {
    return this.#with(key, semaphore => semaphore.tryAcquire(weight))
  }

  /** As {@link RedisSemaphore.acquire}, of a key. */
  acquire(key: string, weight: number, options?: SemaphoreAcquireOptions): Promise<RedisPermit>
  acquire(key: string, options?: SemaphoreAcquireOptions): Promise<RedisPermit>
  acquire(
    key: string,
    first?: number | SemaphoreAcquireOptions,
    second?: SemaphoreAcquireOptions,
  ): Promise<RedisPermit> {
    return this.#with(key, semaphore => semaphore.acquire(first as number, second))
  }

  /** As {@link RedisSemaphore.run}, of a key. */
  run<R>(
    key: string,
    fn: (permit: RedisPermit) => R | PromiseLike<R>,
    options?: SemaphoreAcquireOptions,
  ): Promise<R> {
    return this.#with(key, semaphore => semaphore.run(fn, options))
  }

  stats(): RedisKeyedSemaphoreStats {
    const stats = { keys: this.#semaphores.size, active: 0, waiting: 0, lost: this.#lost }
    for (const semaphore of this.#semaphores.values()) {
      const { active, waiting, lost } = semaphore.stats()
      stats.active += active
      stats.waiting += waiting
      stats.lost += lost
    }
    return stats
  }

  /** As {@link RedisSemaphore.close}, of all keys. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(Array.from(this.#semaphores.values(), semaphore => semaphore.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #with<T>(key: string, call: (semaphore: RedisSemaphore) => Promise<T>): Promise<T> {
    const id = `${this.#options.id}:${keyPart(key)}`
    if (this.#closed) throw new LimiterClosedError(this.name)
    const known = this.#semaphores.get(key)
    // What it knows of its state, such as that it was lost, is kept as long as it is asked.
    if (known !== undefined) this.#semaphores.delete(key)
    this.#sweep()
    const semaphore = known ?? new RedisSemaphore({ ...this.#options, id }, this.#news)
    // The map's order is that of use.
    this.#semaphores.set(key, semaphore)
    return call(semaphore)
  }

  /** Forgets keys that were used least recently and are in use no more: two for each that comes, so that they do not pile up. */
  #sweep(): void {
    let probes = 2
    for (const [key, semaphore] of this.#semaphores) {
      if (probes-- === 0) return
      const { active, waiting, unsettled, lost } = semaphore.stats()
      this.#semaphores.delete(key)
      if (active + waiting + unsettled > 0) {
        // What is held for long must not keep the others from being looked at.
        this.#semaphores.set(key, semaphore)
        continue
      }
      this.#lost += lost
      void semaphore.close()
    }
  }
}

describeStats<RedisKeyedSemaphoreStats>(RedisKeyedSemaphore.prototype, {
  ...gauges('keys', 'active', 'waiting'),
  lost: 'counter',
})
