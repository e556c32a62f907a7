import type { TimeSource } from '@millrace/kit'
import { WeigherError } from '../errors.ts'
import type { TagStamp, TagTable } from '../invalidate/tag-table.ts'
import { Lifetime } from '../kernel/entry.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { EntryDetail } from './entry-detail.ts'

/** How long an entry is kept when it is stale, and when it is refreshed: part of what a load is planned by. */
export interface Retention {
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** Share of the time to live; 0: never. */
  readonly eagerRefresh: number
}

/** What an {@link EntryWriter} works on. */
export interface EntryWriterOptions<K, V> {
  readonly kernel: Kernel<K, V>
  readonly tags: TagTable
  readonly clock: TimeSource
  /** ms that an entry lives unless its write says otherwise. */
  readonly ttl: number
  /** Share of its time to live by which an entry may expire earlier. */
  readonly ttlJitter: number
  readonly weigher: ((value: V, key: K) => number) | undefined
}

/** Turns a value, its time to live and its tags into an entry of the kernel. */
export class EntryWriter<K, V> {
  readonly #kernel: Kernel<K, V>
  readonly #tags: TagTable
  readonly #clock: TimeSource
  readonly #jitter: number
  readonly #weigher: ((value: V, key: K) => number) | undefined
  /** That of the present write: the kernel copies it. */
  readonly #lifetime = new Lifetime()
  readonly ttl: number

  constructor(options: EntryWriterOptions<K, V>) {
    this.#kernel = options.kernel
    this.#tags = options.tags
    this.#clock = options.clock
    this.ttl = options.ttl
    this.#jitter = options.ttlJitter
    this.#weigher = options.weigher
  }

  /**
   * Stores a value that lives `ttl` ms from now, or has been stale for `-ttl` ms.
   *
   * @param plan says how long it is retained after that, and when it is refreshed
   * @throws {WeigherError} if the weigher returned something else than a finite number >= 0
   */
  write(key: K, value: V, ttl: number, tags: readonly string[], plan: Retention): void {
    const weight = this.weigh(key, value)
    if (ttl === Infinity && tags.length === 0) {
      this.#kernel.store(key, value, weight)
      return
    }
    const expires = this.#deadline(ttl)
    const lifetime = this.#lifetime
    lifetime.expires = expires
    lifetime.retained = expires + Math.max(plan.staleWhileRevalidate, plan.staleIfError)
    lifetime.guard = this.#stamp(tags)
    lifetime.detail =
      plan.eagerRefresh === 0 || expires === Infinity
        ? undefined
        : new EntryDetail(expires - ttl * (1 - plan.eagerRefresh))
    this.#kernel.store(key, value, weight, lifetime)
  }

  /** Stores a value whose lifetime is known, ms on the clock. */
  restore(
    key: K,
    value: V,
    { expires, retained }: Pick<Lifetime, 'expires' | 'retained'>,
    tags: readonly string[],
  ): void {
    const weight = this.weigh(key, value)
    const lifetime = this.#lifetime
    lifetime.expires = expires
    lifetime.retained = retained
    lifetime.guard = this.#stamp(tags)
    lifetime.detail = undefined
    this.#kernel.store(key, value, weight, lifetime)
  }

  weigh(key: K, value: V): number {
    if (this.#weigher === undefined) return 1
    const weight = this.#weigher(value, key)
    if (typeof weight !== 'number' || !(weight >= 0 && weight < Infinity)) {
      throw new WeigherError(weight)
    }
    return weight
  }

  /** When an entry written now expires, ms on the clock. */
  #deadline(ttl: number): number {
    if (ttl === Infinity) return Infinity
    const early = this.#jitter && Math.max(0, ttl) * Math.random() * this.#jitter
    return this.#clock.now() + ttl - early
  }

  #stamp(tags: readonly string[]): TagStamp | undefined {
    if (tags.length === 0) return undefined
    return this.#tags.stamp(tags, () => this.#kernel.guards as (TagStamp | undefined)[] | null)
  }
}
