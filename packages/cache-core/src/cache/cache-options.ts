import type { CreateInsight } from '../advise/insight.ts'
import { InvalidOptionError } from '../errors.ts'
import type { RemovalReason } from '../kernel/kernel.ts'
import type { LoadBehavior } from '../load/load-options.ts'
import type { CreatePolicy } from '../policy/policies.ts'
import type { CreateRelief } from '../size/memory-pressure.ts'
import type { Clock } from '../time/turn-clock.ts'

/**
 * Options of a {@link Cache}. Everything has a default; what is not given is not limited unless
 * said otherwise.
 */
export interface CacheOptions<K, V> extends LoadBehavior {
  /** Entries held at most: 1 to 16,777,216. Default 256 if `maxBytes` is not given either. */
  readonly maxEntries?: number
  /**
   * Total weight of all entries at most, in the unit of `weigher`. Needs one. Default: no limit.
   */
  readonly maxBytes?: number
  /**
   * Weight of an entry, a finite number >= 0, asked once when it is stored. An entry heavier than
   * `maxBytes` is refused and counted. Weight 0 pins: the entry is never evicted to make room.
   */
  readonly weigher?: (value: V, key: K) => number
  /** ms after which an entry expires, > 0. Default Infinity: never. */
  readonly ttl?: number
  /**
   * ms after its last read or write at which an entry expires even if its `ttl` has not passed, >
   * 0. Default Infinity.
   */
  readonly idleTtl?: number
  /**
   * Fraction of its `ttl` by which each entry may expire earlier, at random, so that entries made
   * together do not expire together: 0 to 1. Default 0.
   */
  readonly ttlJitter?: number
  /**
   * ms between removals of expired entries in the background, > 0. Default Infinity: they go when
   * read or when room is needed.
   */
  readonly sweepInterval?: number
  /**
   * What decides which entry makes room: a policy of `@millrace/cache-core/policies`. Default: the
   * adaptive one.
   */
  readonly policy?: CreatePolicy
  /**
   * `false` turns the cache into a pass-through that stores nothing, for debugging. Default `true`.
   */
  readonly enabled?: boolean
  /**
   * Called with every value that leaves, after the cache is consistent again. An error it throws
   * reaches the caller of the operation.
   */
  readonly onRemove?: (key: K, value: V, reason: RemovalReason) => void
  /**
   * Gives way when memory gets scarce: `memoryPressure()` of `@millrace/cache-core/size`. Default:
   * does not.
   */
  readonly memoryPressure?: CreateRelief
  /**
   * For `advise()`, and for the reasons that `explain()` gives: `insight()` of
   * `@millrace/cache-core/insight`. Default: none.
   */
  readonly insight?: CreateInsight
  /** Source of time. Default: the system's. */
  readonly clock?: Clock
}

/** Largest number of keys a `Map` holds. */
export const LARGEST_MAP: number = 2 ** 24

/** Options of one `set`. */
export interface SetOptions {
  /** ms after which this entry expires, > 0. Default: that of the cache. */
  readonly ttl?: number
  /** Tags of this entry, for `deleteTag` and `expireTag`. */
  readonly tags?: readonly string[]
}

/** @throws {InvalidOptionError} */
export function assertFunction(option: string, value: unknown, expected = 'a function'): void {
  if (value !== undefined && typeof value !== 'function') {
    throw new InvalidOptionError(option, expected, value)
  }
}

/** What a number may be, in words and as a test. */
export type Bounds = readonly [expected: string, holds: (value: number) => boolean]

export const POSITIVE: Bounds = ['a number > 0', value => value > 0]
export const NOT_NEGATIVE: Bounds = ['a number >= 0', value => value >= 0]
export const FRACTION: Bounds = ['a number from 0 to 1', value => value >= 0 && value <= 1]
export const ENTRIES: Bounds = [
  'an integer from 1 to 16,777,216',
  value => Number.isInteger(value) && value >= 1 && value <= LARGEST_MAP,
]

/** @throws {InvalidOptionError} */
export function assertNumber(option: string, value: unknown, [expected, holds]: Bounds): void {
  if (typeof value !== 'number' || !holds(value)) {
    throw new InvalidOptionError(option, expected, value)
  }
}

/** @throws {InvalidOptionError} */
export function assertPositive(option: string, value: unknown): void {
  assertNumber(option, value, POSITIVE)
}

/** @throws {InvalidOptionError} */
export function assertWeighted(weighted: boolean): void {
  if (weighted) return
  throw new InvalidOptionError('weigher', 'a function, as `maxBytes` is given', undefined)
}
