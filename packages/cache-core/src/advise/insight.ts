import { checkBoolean, checkOptions, checkShare, type OptionNames } from '@millrace/kit'
import type { RemovalReason } from '../kernel/entry.ts'
import type { Observer } from '../kernel/observer.ts'
import type { CreatePolicy } from '../policy/policies.ts'
import { type Advice, type AdviceOptions, Advisor, type Simulated } from './advisor.ts'
import { type DepartureReason, Departures } from './departures.ts'

/** What a cache knows of its keys beyond its entries: made by {@link insight}. */
export interface Insight<K> extends Observer<K> {
  /** `undefined` if it was switched off. */
  advise(): Advice | undefined
  /** Why the key left last, if that is still known. */
  reason(key: K): DepartureReason | undefined
}

/** What an insight is an insight into: the inside of a cache. */
export interface InsightTarget extends Simulated {
  readonly hits: number
  readonly misses: number
  readonly removed: Readonly<Record<RemovalReason, number>>
}

/** Makes the insight of one cache: the result of {@link insight}. */
export type CreateInsight = <K>(target: InsightTarget, policy: CreatePolicy) => Insight<K>

/** Options of {@link insight}. */
export interface InsightOptions {
  /**
   * Simulates other sizes and policies on a sample of the keys, for `advise()`: a hit of a watched key costs seven more.
   * `false` switches it off. Default: true
   */
  readonly advice?: AdviceOptions | boolean | undefined
  /** Remembers why keys left, 8 to 16 bytes for each entry of `maxEntries`, for `explain()`. Default: true */
  readonly explanations?: boolean | undefined
}

/**
 * Lets a cache answer `advise()`, and `explain()` for keys that are not there:
 * `new Cache({ insight: insight() })`.
 *
 * @throws {InvalidOptionError} if an option is outside its bounds or unknown.
 */
export function insight(options: InsightOptions = {}): CreateInsight {
  checkOptions('', options, INSIGHT_OPTIONS)
  const { advice = true, explanations = true } = options
  const adviceOptions = typeof advice === 'object' ? advice : {}
  const { sample } = checkOptions<AdviceOptions>('advice', adviceOptions, ADVICE_OPTIONS)
  if (sample !== undefined) checkShare('advice.sample', sample)
  if (typeof advice !== 'object') checkBoolean('advice', advice)
  checkBoolean('explanations', explanations)
  return <K>(target: InsightTarget, policy: CreatePolicy) =>
    new CacheInsight<K>(
      target,
      advice === false ? null : new Advisor(target, policy, adviceOptions),
      explanations ? new Departures(target.index.hasher, target.maxEntries) : null,
    )
}

const INSIGHT_OPTIONS: OptionNames<InsightOptions> = { advice: true, explanations: true }
const ADVICE_OPTIONS: OptionNames<AdviceOptions> = { sample: true }

class CacheInsight<K> implements Insight<K> {
  readonly #target: InsightTarget
  readonly #advisor: Advisor<K> | null
  readonly #departures: Departures<K> | null

  constructor(target: InsightTarget, advisor: Advisor<K> | null, departures: Departures<K> | null) {
    this.#target = target
    this.#advisor = advisor
    this.#departures = departures
  }

  advise(): Advice | undefined {
    const advisor = this.#advisor
    if (advisor === null) return undefined
    const { hits, misses, removed } = this.#target
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
