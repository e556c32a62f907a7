import { type Clock, systemClock } from './clock.ts'
import { InvalidOptionError, WeigherError } from './errors.ts'
import { ABSENT, FRESH, Kernel, type RemovalReason } from './kernel.ts'
import {
  assertPositive,
  assertPositiveInteger,
  type CacheOptions,
  LARGEST_MAP,
  type SetOptions,
} from './options.ts'
import { createPolicy } from './policy/create-policy.ts'

/** Counters of a cache since its creation or the last `resetStats`. */
export interface CacheStats {
  /** Reads that found a valid entry. */
  readonly hits: number
  /** Reads that did not. */
  readonly misses: number
  /** hits / (hits + misses); 0 before the first read. */
  readonly hitRate: number
  /** Entries now, expired ones that were not yet removed included. */
  readonly entries: number
  /** Total weight now; 0 without a weigher. */
  readonly bytes: number
  /** New keys stored. */
  readonly insertions: number
  /** Values not stored because they are heavier than the cache or admission was stopped. */
  readonly refusals: number
  /** Removals by reason. */
  readonly removals: Readonly<Record<RemovalReason, number>>
}

/**
 * A bounded cache in the memory of this process.
 *
 * Every verb is O(1) unless it says otherwise. Keys are compared as `Map` compares them and may be of any type.
 */
export class Cache<K, V> {
  readonly #kernel: Kernel<K, V>
  readonly #clock: Clock
  readonly #enabled: boolean
  readonly #ttl: number
  readonly #jitter: number
  readonly #weigher: ((value: V, key: K) => number) | undefined

  /** @throws {InvalidOptionError} if an option is outside its bounds. */
  constructor(options: CacheOptions<K, V> = {}) {
    const {
      maxBytes = Infinity,
      maxEntries = maxBytes === Infinity ? 256 : LARGEST_MAP,
      weigher,
      ttl = Infinity,
      idleTtl = Infinity,
      ttlJitter = 0,
      policy = 'adaptive',
      enabled = true,
      onRemove,
      clock = systemClock,
    } = options
    assertPositiveInteger('maxEntries', maxEntries, LARGEST_MAP)
    assertPositive('maxBytes', maxBytes)
    assertPositive('ttl', ttl)
    assertPositive('idleTtl', idleTtl)
    if (!(ttlJitter >= 0 && ttlJitter <= 1)) {
      throw new InvalidOptionError('ttlJitter', 'a number from 0 to 1', ttlJitter)
    }
    if (weigher === undefined && maxBytes !== Infinity) {
      throw new InvalidOptionError('weigher', 'a function, as `maxBytes` is given', weigher)
    }
    this.#clock = clock
    this.#enabled = enabled
    this.#ttl = ttl
    this.#jitter = ttlJitter
    this.#weigher = weigher
    this.#kernel = new Kernel(
      createPolicy(policy),
      maxEntries,
      maxBytes,
      weigher !== undefined,
      idleTtl === Infinity ? 0 : idleTtl,
      clock,
    )
    if (onRemove !== undefined) this.#kernel.onRemove = onRemove
  }

  /** Number of entries, expired ones that were not yet removed included. */
  get size(): number {
    return this.#kernel.size
  }

  /** The value under `key`, or `undefined` if there is none that is valid. Counts a hit or a miss. */
  get(key: K): V | undefined {
    const kernel = this.#kernel
    const slot = kernel.find(key)
    return slot === ABSENT ? undefined : kernel.values[slot]
  }

  /** Like `get`, but counts nothing and does not make the entry look used. */
  peek(key: K): V | undefined {
    const kernel = this.#kernel
    const slot = kernel.locate(key)
    return slot !== ABSENT && kernel.state(slot) === FRESH ? kernel.values[slot] : undefined
  }

  /** Whether there is a valid entry. Counts nothing. */
  has(key: K): boolean {
    const slot = this.#kernel.locate(key)
    return slot !== ABSENT && this.#kernel.state(slot) === FRESH
  }

  /**
   * Stores a value, replacing an older one.
   *
   * @throws {InvalidOptionError} if `ttl` is not > 0.
   * @throws {WeigherError} if the weigher returned something else than a finite number >= 0.
   */
  set(key: K, value: V, options?: SetOptions): this {
    if (!this.#enabled) return this
    let ttl = this.#ttl
    if (options?.ttl !== undefined) {
      ttl = options.ttl
      assertPositive('ttl', ttl)
    }
    this.#kernel.store(key, value, this.#deadline(ttl), undefined, this.#weigh(value, key))
    return this
  }

  /** Removes the entry. True if it was valid. */
  delete(key: K): boolean {
    return this.#kernel.remove(key, 'deleted')
  }

  /** Removes every entry. O(n). */
  clear(): void {
    this.#kernel.clear('cleared')
  }

  /** A snapshot of the counters. */
  stats(): CacheStats {
    const { hits, misses, size, weight, insertions, refusals, removals } = this.#kernel
    return {
      hits,
      misses,
      hitRate: hits === 0 ? 0 : hits / (hits + misses),
      entries: size,
      bytes: weight,
      insertions,
      refusals,
      removals: { ...removals },
    }
  }

  /** Valid entries, oldest insertion first. Entries set or deleted meanwhile may or may not appear. Counts nothing. */
  *entries(): IterableIterator<[K, V]> {
    const kernel = this.#kernel
    for (const [key, slot] of kernel.index) {
      if (kernel.state(slot) === FRESH) yield [key, kernel.values[slot] as V]
    }
  }

  /** Keys of valid entries, as `entries`. */
  *keys(): IterableIterator<K> {
    for (const [key] of this.entries()) yield key
  }

  /** Values of valid entries, as `entries`. */
  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries()
  }

  /** When an entry written now expires, ms on the clock. */
  #deadline(ttl: number): number {
    if (ttl === Infinity) return Infinity
    return this.#clock.now() + (this.#jitter === 0 ? ttl : ttl * (1 - Math.random() * this.#jitter))
  }

  #weigh(value: V, key: K): number {
    if (this.#weigher === undefined) return 1
    const weight = this.#weigher(value, key)
    if (typeof weight !== 'number' || !(weight >= 0 && weight < Infinity)) {
      throw new WeigherError(weight)
    }
    return weight
  }
}
