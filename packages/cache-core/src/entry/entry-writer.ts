import { WeigherError } from '../errors.ts'
import type { TagStamp, TagTable } from '../invalidate/tag-table.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { LoadPlan } from '../load/load-options.ts'
import type { Clock } from '../time/turn-clock.ts'
import { EntryDetail } from './entry-detail.ts'

/** Turns a value, its time to live and its tags into an entry of the kernel. */
export class EntryWriter<K, V> {
  readonly #kernel: Kernel<K, V>
  readonly #tags: TagTable
  readonly #clock: Clock
  readonly #jitter: number
  readonly #weigher: ((value: V, key: K) => number) | undefined
  /** ms that an entry lives unless its write says otherwise. */
  readonly ttl: number

  constructor(
    kernel: Kernel<K, V>,
    tags: TagTable,
    clock: Clock,
    ttl: number,
    jitter: number,
    weigher: ((value: V, key: K) => number) | undefined,
  ) {
    this.#kernel = kernel
    this.#tags = tags
    this.#clock = clock
    this.ttl = ttl
    this.#jitter = jitter
    this.#weigher = weigher
  }

  /**
   * Stores a value that lives `ttl` ms from now, or has been stale for `-ttl` ms.
   *
   * @param plan says how long it is retained after that, and when it is refreshed
   * @throws {WeigherError} if the weigher returned something else than a finite number >= 0
   */
  write(key: K, value: V, ttl: number, tags: readonly string[], plan: LoadPlan): void {
    const kernel = this.#kernel
    const weight = this.weigh(key, value)
    if (ttl === Infinity && tags.length === 0) {
      // Numbers that are computed would be allocated for the call.
      kernel.store(key, value, Infinity, Infinity, weight)
      return
    }
    const expires = this.#deadline(ttl)
    const detail =
      plan.eagerRefresh === 0 || expires === Infinity
        ? undefined
        : new EntryDetail(expires - ttl * (1 - plan.eagerRefresh))
    const retained = expires + Math.max(plan.staleWhileRevalidate, plan.staleIfError)
    kernel.store(key, value, expires, retained, weight, this.#stamp(tags), detail)
  }

  /** Stores a value whose lifetime is known, ms on the clock. */
  restore(key: K, value: V, expires: number, retained: number, tags: readonly string[]): void {
    const weight = this.weigh(key, value)
    this.#kernel.store(key, value, expires, retained, weight, this.#stamp(tags))
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
