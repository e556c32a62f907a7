import { checkInteger, checkOptions, describeStats, gauges, type OptionNames } from '@millrace/kit'
import { LimiterClosedError } from '../errors.ts'
import type { Permit } from '../semaphore/permit.ts'
import { Semaphore, type SemaphoreOptions } from '../semaphore/semaphore.ts'
import type { SemaphoreAcquireOptions } from '../semaphore/semaphore-acquire.ts'
import { checkKey } from './check-key.ts'

/** `permits` and `maxQueue` are those of each key. */
export type KeyedSemaphoreOptions = Omit<SemaphoreOptions, 'order'>

const NAMES: OptionNames<KeyedSemaphoreOptions> = {
  permits: true,
  maxQueue: true,
  name: true,
  clock: true,
}

export interface KeyedSemaphoreStats {
  /** Keys that are in use: held or waited for. */
  keys: number
  active: number
  waiting: number
}

/** A semaphore per key, such as one call at a time per account. Only keys in use take memory. */
export class KeyedSemaphore {
  readonly keyed = true
  readonly name: string
  readonly #options: KeyedSemaphoreOptions
  readonly #semaphores = new Map<string, Semaphore>()
  #closed = false

  constructor(options: KeyedSemaphoreOptions) {
    const { name = 'keyed-semaphore', permits } = checkOptions('', options, NAMES)
    checkInteger('permits', permits, 1)
    this.#options = { ...options, name }
    this.name = new Semaphore(this.#options).name
  }

  /** As {@link Semaphore.tryAcquire}, of a key. */
  tryAcquire(key: string, weight = 1): Permit | undefined {
    const semaphore = this.#of(key)
    try {
      return this.#watched(key, semaphore, semaphore.tryAcquire(weight))
    } finally {
      this.#sweep(key, semaphore)
    }
  }

  /** As {@link Semaphore.acquire}, of a key. */
  acquire(key: string, weight: number, options?: SemaphoreAcquireOptions): Promise<Permit>
  acquire(key: string, options?: SemaphoreAcquireOptions): Promise<Permit>
  async acquire(
    key: string,
    first?: number | SemaphoreAcquireOptions,
    second?: SemaphoreAcquireOptions,
  ): Promise<Permit> {
    const semaphore = this.#of(key)
    try {
      const permit = await (typeof first === 'number'
        ? semaphore.acquire(first, second)
        : semaphore.acquire(first))
      return this.#watched(key, semaphore, permit)
    } finally {
      this.#sweep(key, semaphore)
    }
  }

  /** As {@link Semaphore.run}, of a key. */
  async run<R>(
    key: string,
    fn: () => R | PromiseLike<R>,
    options?: SemaphoreAcquireOptions,
  ): Promise<R> {
    const semaphore = this.#of(key)
    try {
      return await semaphore.run(fn, options)
    } finally {
      this.#sweep(key, semaphore)
    }
  }

  stats(): KeyedSemaphoreStats {
    const stats = { keys: this.#semaphores.size, active: 0, waiting: 0 }
    for (const semaphore of this.#semaphores.values()) {
      const { active, waiting } = semaphore.stats()
      stats.active += active
      stats.waiting += waiting
    }
    return stats
  }

  /** As {@link Semaphore.close}, of all keys. */
  close(): void {
    this.#closed = true
    for (const semaphore of this.#semaphores.values()) semaphore.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #of(key: string): Semaphore {
    checkKey(key)
    if (this.#closed) throw new LimiterClosedError(this.name)
    let semaphore = this.#semaphores.get(key)
    if (semaphore === undefined) {
      semaphore = new Semaphore(this.#options)
      this.#semaphores.set(key, semaphore)
    }
    return semaphore
  }

  /** A held permit keeps its key; its release forgets it. */
  #watched<P extends Permit | undefined>(key: string, semaphore: Semaphore, permit: P): P {
    if (permit !== undefined) void semaphore.onIdle().then(() => this.#sweep(key, semaphore))
    return permit
  }

  #sweep(key: string, semaphore: Semaphore): void {
    const { active, waiting } = semaphore.stats()
    if (active + waiting === 0 && this.#semaphores.get(key) === semaphore) {
      this.#semaphores.delete(key)
    }
  }
}

describeStats<KeyedSemaphoreStats>(KeyedSemaphore.prototype, {
  ...gauges('keys', 'active', 'waiting'),
})
