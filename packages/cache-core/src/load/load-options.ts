import { assertNumber, type Bounds, NOT_NEGATIVE, POSITIVE } from '../cache/cache-options.ts'
import { InvalidOptionError } from '../errors.ts'

/** How values are loaded; for a whole cache in its constructor, or for one call. */
export interface LoadBehavior {
  /**
   * ms for which a value that expired may be served while a new one loads in the background, >= 0.
   * Default 0: callers wait for the new value.
   */
  readonly staleWhileRevalidate?: number
  /**
   * ms after its expiry for which a value may be served when the load of a new one fails or passes
   * `softDeadline`, >= 0. Default 0: the failure reaches the caller.
   */
  readonly staleIfError?: number
  /**
   * ms a caller waits for a new value before it gets a stale one that `staleIfError` allows; the load
   * goes on in the background. >= 0. Default Infinity.
   */
  readonly softDeadline?: number
  /**
   * ms after which a load fails with `LoadTimeoutError` and its signal is aborted, > 0. Default
   * 30,000, as a load that never ends would hold every caller of its key. Infinity: no limit.
   */
  readonly hardDeadline?: number
  /**
   * Fraction of its time to live after which a read of a still fresh value makes a new one load in the
   * background, > 0 and < 1. Keys that nobody reads are left to expire. Default: never.
   */
  readonly eagerRefresh?: number
  /** ms for which a loaded `null`, meaning "there is none", is kept, > 0. Default: as other values. */
  readonly negativeTtl?: number
  /**
   * ms without a further attempt after a load failed while a stale value is at hand, >= 0; doubles with
   * each consecutive failure, up to 32 times as long. Default 1,000.
   */
  readonly errorBackoff?: number
}

/** Options of one `getOrLoad`. Those not given are taken from the cache. */
export interface LoadOptions extends LoadBehavior {
  /** ms after which the loaded value expires, > 0. Default: that of the cache. */
  readonly ttl?: number
  /** Tags of the loaded value, for `deleteTag` and `expireTag`. */
  readonly tags?: readonly string[]
  /** Ends the wait of this caller, and the load if nobody else waits for it. */
  readonly signal?: AbortSignal | undefined
}

/** Complete options of a load. */
export interface LoadPlan {
  readonly ttl: number | undefined
  readonly tags: readonly string[]
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly softDeadline: number
  readonly hardDeadline: number
  /** 0: never. */
  readonly eagerRefresh: number
  readonly negativeTtl: number | undefined
  readonly errorBackoff: number
  readonly signal: AbortSignal | undefined
}

const NO_TAGS: readonly string[] = []

const DEFAULTS: LoadPlan = {
  ttl: undefined,
  tags: NO_TAGS,
  staleWhileRevalidate: 0,
  staleIfError: 0,
  softDeadline: Infinity,
  hardDeadline: 30_000,
  eagerRefresh: 0,
  negativeTtl: undefined,
  errorBackoff: 1_000,
  signal: undefined,
}

const BOUNDS: Readonly<Record<keyof LoadBehavior | 'ttl', Bounds>> = {
  ttl: POSITIVE,
  staleWhileRevalidate: NOT_NEGATIVE,
  staleIfError: NOT_NEGATIVE,
  softDeadline: NOT_NEGATIVE,
  hardDeadline: POSITIVE,
  eagerRefresh: ['a number > 0 and < 1', value => value > 0 && value < 1],
  negativeTtl: POSITIVE,
  errorBackoff: NOT_NEGATIVE,
}
const NUMBERS = Object.keys(BOUNDS) as (keyof typeof BOUNDS)[]

/**
 * The options of one load, checked.
 *
 * @throws {@link InvalidOptionError} if one is outside its bounds.
 */
export function planLoad(options: LoadOptions, defaults: LoadPlan = DEFAULTS): LoadPlan {
  const { signal } = options
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidOptionError('signal', 'an AbortSignal', signal)
  }
  const plan = { ...defaults, signal }
  if (options.tags !== undefined) plan.tags = checkTags(options.tags)
  for (const option of NUMBERS) {
    const value = options[option]
    if (value === undefined) continue
    assertNumber(option, value, BOUNDS[option])
    plan[option] = value
  }
  return plan
}

/** @throws {@link InvalidOptionError} unless `tags` is an array of strings. */
export function checkTags(tags: readonly string[]): readonly string[] {
  if (!Array.isArray(tags) || !tags.every(tag => typeof tag === 'string')) {
    throw new InvalidOptionError('tags', 'an array of strings', tags)
  }
  return tags
}
