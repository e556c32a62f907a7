import type { Kernel, RemovalReason } from '../kernel/kernel.ts'
import type { Observer } from '../kernel/observer.ts'
import type { CreatePolicy } from '../policy/policies.ts'
import { type Advice, type AdviceOptions, Advisor } from './advisor.ts'
import { type DepartureReason, Departures } from './departures.ts'

/** What a cache knows of its keys beyond its entries: made by {@link insight}. */
export interface Insight<K> extends Observer<K> {
  /** `undefined` if it was switched off. */
  advise(): Advice | undefined
  /** Why the key left last, if that is still known. */
  reason(key: K): DepartureReason | undefined
}

/** Makes the insight of one cache. */
export type CreateInsight = <K, V>(kernel: Kernel<K, V>, policy: CreatePolicy) => Insight<K>

/** Options of {@link insight}. */
export interface InsightOptions {
  /**
   * Simulates other sizes and policies on a sample of the keys, for `advise()`: a hit of a watched key costs seven more.
   * `false` switches it off. Default `true`.
   */
  readonly advice?: AdviceOptions | boolean
  /** Remembers why keys left, 8 to 16 bytes for each entry of `maxEntries`, for `explain()`. Default `true`. */
  readonly explanations?: boolean
}

/**
 * Lets a cache answer `advise()`, and `explain()` for keys that are not there:
 * `new Cache({ insight: insight() })`.
 */
export function insight({
  advice = true,
  explanations = true,
}: InsightOptions = {}): CreateInsight {
  const options = typeof advice === 'object' ? advice : {}
  return (kernel, policy) =>
    new KernelInsight(
      kernel,
      advice === false ? null : new Advisor(kernel, policy, options),
      explanations ? new Departures(kernel.index.hasher, kernel.maxEntries) : null,
    )
}

class KernelInsight<K, V> implements Insight<K> {
  readonly #kernel: Kernel<K, V>
  readonly #advisor: Advisor<K> | null
  readonly #departures: Departures<K> | null

  constructor(kernel: Kernel<K, V>, advisor: Advisor<K> | null, departures: Departures<K> | null) {
    this.#kernel = kernel
    this.#advisor = advisor
    this.#departures = departures
  }

  advise(): Advice | undefined {
    const advisor = this.#advisor
    if (advisor === null) return undefined
    const { hits, misses, removed } = this.#kernel
    const removals = Object.values(removed).reduce((sum, count) => sum + count, 0)
    return {
      sample: advisor.sample,
      reads: advisor.reads,
      hitRate: hits === 0 ? 0 : hits / (hits + misses),
      expired: removals === 0 ? 0 : removed.expired / removals,
      estimates: advisor.estimates(),
    }
  }

  reason(key: K): DepartureReason | undefined {
    return this.#departures?.reason(key)
  }

  read(key: K, weight: number | undefined): void {
    this.#advisor?.read(key, weight)
  }

  stored(key: K, weight: number): void {
    this.#advisor?.stored(key, weight)
  }

  refused(key: K, reason: 'refused' | 'discarded' | 'failed' = 'refused'): void {
    this.#departures?.note(key, reason)
  }

  removed(key: K, reason: RemovalReason): void {
    if (reason !== 'evicted' && reason !== 'resized' && reason !== 'replaced') {
      this.#advisor?.removed(key)
    }
    if (reason !== 'replaced') this.#departures?.note(key, reason)
  }

  cleared(): void {
    this.#advisor?.clear()
    this.#departures?.clear()
  }
}
