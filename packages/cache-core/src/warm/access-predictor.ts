import {
  checkInteger,
  checkMethods,
  checkNonNegativeOrInfinity,
  checkOptions,
  checkRange,
  type OptionNames,
  type OptionRules,
  type Resolved,
  resolveOptions,
  type TimeSource,
  wallClock,
  withDefault,
} from '@millrace/kit'
import { Followers } from './followers.ts'
import { Rhythm } from './rhythm.ts'

/** Options of an {@link AccessPredictor}. */
export interface AccessPredictorOptions {
  /** Keys of which habits are remembered, 1 to 16,777,216; beyond, the one used longest ago is forgotten. Default: 4,096. */
  readonly maxKeys?: number | undefined
  /** Keys remembered as followers of each key, 1 to 64. Default: 4. */
  readonly maxFollowers?: number | undefined
  /** Accesses after a key of which each counts as a follower, 1 to 16. Default: 1. */
  readonly reach?: number | undefined
  /** Source of time, in ms since 1970, as hours of the day count. Default: the system's. */
  readonly clock?: TimeSource | undefined
}

/** A key that is likely to be used. */
export interface Prediction<K> {
  readonly key: K
  /** Share of the cases like this in which it was used, 0 to 1. */
  readonly probability: number
  /** - `follows`: it was used after another one - `interval`: it is used at regular intervals - `hour`: it is used at this hour */
  readonly reason: 'follows' | 'interval' | 'hour'
}

/** Which predictions are wanted. */
export interface PredictionOptions {
  /** Predictions at most, at least 1. Default: 4 of followers, 100 of what is due. */
  readonly limit?: number | undefined
  /** Least probability, 0 to 1. Default: 0.5. */
  readonly least?: number | undefined
}

/** What a `Map` holds. */
const MOST_KEYS = 2 ** 24

const OPTIONS: OptionRules<AccessPredictorOptions> = {
  maxKeys: withDefault(4_096, checkInteger, 1, MOST_KEYS),
  maxFollowers: withDefault(4, checkInteger, 1, 64),
  reach: withDefault(1, checkInteger, 1, 16),
  clock: withDefault(wallClock, checkMethods<TimeSource>, 'a TimeSource', ['now']),
}
const PREDICTION_OPTIONS: OptionNames<PredictionOptions> = { limit: true, least: true }

interface Habit<K> {
  readonly rhythm: Rhythm
  readonly followers: Followers<K>
}

/**
 * Learns from the accesses to a cache which keys will be used next: those that followed the last one before, those used at regular
 * intervals, and those used at this hour of the day. Memory is bounded by `maxKeys`, some 400 bytes each.
 */
export class AccessPredictor<K> {
  /** The one used longest ago first. */
  readonly #habits = new Map<K, Habit<K>>()
  /** The last accesses, the newest first. */
  readonly #recent: K[] = []
  readonly #settings: Resolved<AccessPredictorOptions>

  /** @throws {InvalidOptionError} */
  constructor(options: AccessPredictorOptions = {}) {
    this.#settings = resolveOptions('', options, OPTIONS)
  }

  /** Keys whose habits are known. */
  get size(): number {
    return this.#habits.size
  }

  /** Notes that a key was used, hit or miss. O(reach x maxFollowers). */
  record(key: K): void {
    const now = this.#settings.clock.now()
    for (const before of this.#recent) {
      if (before !== key) this.#habits.get(before)?.followers.count(key)
    }
    let habit = this.#habits.get(key)
    if (habit === undefined) {
      habit = { rhythm: new Rhythm(now), followers: new Followers(this.#settings.maxFollowers) }
      if (this.#habits.size === this.#settings.maxKeys) this.#forgetOldest()
    } else {
      this.#habits.delete(key)
      habit.rhythm.note(now)
    }
    this.#habits.set(key, habit)
    habit.followers.begin()
    this.#recent.unshift(key)
    if (this.#recent.length > this.#settings.reach) this.#recent.pop()
  }

  /** The keys that are likely to be used soon after `key`, the most likely one first. O(maxFollowers). */
  next(key: K, options: PredictionOptions = {}): Prediction<K>[] {
    const { limit, least } = check(options, 4)
    const found = this.#habits.get(key)?.followers.likely(least) ?? []
    return found
      .slice(0, limit)
      .map(([follower, probability]) => ({ key: follower, probability, reason: 'follows' }))
  }

  /**
   * The keys that are likely to be used within `horizon` ms from now, by their intervals and by the hour of the day, the most likely
   * one first. O(maxKeys log maxKeys).
   *
   * @param horizon at least 0
   * @throws {InvalidOptionError}
   */
  due(horizon: number, options: PredictionOptions = {}): Prediction<K>[] {
    checkNonNegativeOrInfinity('horizon', horizon)
    const { limit, least } = check(options, 100)
    const now = this.#settings.clock.now()
    const found: Prediction<K>[] = []
    for (const [key, { rhythm }] of this.#habits) {
      const byInterval = rhythm.dueWithin(now, horizon)
      const byHour = rhythm.atHourOf(now, horizon)
      const probability = Math.max(byInterval, byHour)
      if (probability < least) continue
      found.push({ key, probability, reason: byInterval >= byHour ? 'interval' : 'hour' })
    }
    return found.sort((a, b) => b.probability - a.probability).slice(0, limit)
  }

  /** Forgets a key that is gone for good; as a follower it fades. */
  forget(key: K): void {
    this.#habits.delete(key)
  }

  #forgetOldest(): void {
    const [oldest] = this.#habits.keys()
    this.#habits.delete(oldest as K)
  }
}

function check(
  options: PredictionOptions,
  most: number,
): Required<{ limit: number; least: number }> {
  const { limit = most, least = 0.5 } = checkOptions('', options, PREDICTION_OPTIONS)
  return { limit: checkInteger('limit', limit, 1), least: checkRange('least', least, 0, 1) }
}
