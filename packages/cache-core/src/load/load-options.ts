import {
  checkNonNegativeOrInfinity,
  checkOptions,
  checkPositiveOrInfinity,
  checkSignal,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import { checkTags } from '../invalidate/check-tags.ts'

/** How values are loaded; for a whole cache in its constructor, or for one call. */
export interface LoadBehavior {
  /**
   * ms for which a value that expired may be served while a new one loads in the background, >= 0.
   * Default: 0, callers wait for the new value
   */
  readonly staleWhileRevalidate?: number | undefined
  /**
   * ms after its expiry for which a value may be served when the load of a new one fails or passes
   * `softTimeout`, >= 0. Default: 0, the failure reaches the caller
   */
  readonly staleIfError?: number | undefined
  /**
   * ms a caller waits for a new value before it gets a stale one that `staleIfError` allows; the load
   * goes on in the background. >= 0. Default: Infinity
   */
  readonly softTimeout?: number | undefined
  /**
   * ms after which a load fails with `LoadTimeoutError` and its signal is aborted, > 0. Infinity: no limit, so that a load that
   * never ends holds every caller of its key. Default: 30,000
   */
  readonly hardTimeout?: number | undefined
  /**
   * Fraction of its time to live after which a read of a still fresh value makes a new one load in the
   * background, > 0 and < 1. Keys that are not read are left to expire. Default: never
   */
  readonly eagerRefresh?: number | undefined
  /** ms for which a loaded `null`, meaning "there is none", is kept, > 0. Default: as other values */
  readonly negativeTtl?: number | undefined
  /**
   * ms without a further attempt after a load failed while a stale value is at hand, >= 0; doubles with
   * each consecutive failure, up to 32 times as long. Default: 1,000
   */
  readonly errorBackoff?: number | undefined
}

/** Options of one `getOrLoad`. Those not given are taken from the cache. */
export interface LoadOptions extends LoadBehavior {
  /** ms after which the loaded value expires, > 0. Default: that of the cache */
  readonly ttl?: number | undefined
  /** Tags of the loaded value, for `deleteTag` and `expireTag`. Default: none */
  readonly tags?: readonly string[] | undefined
  /** Ends the wait of this caller, and the load if no other waits for it. Default: none */
  readonly signal?: AbortSignal | undefined
}

/** Complete options of a load. */
export interface LoadPlan {
  readonly ttl: number | undefined
  readonly tags: readonly string[]
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly softTimeout: number
  readonly hardTimeout: number
  /** 0: never. */
  readonly eagerRefresh: number
  readonly negativeTtl: number | undefined
  readonly errorBackoff: number
  readonly signal: AbortSignal | undefined
}

/** Of every option. */
const DEFAULTS: LoadPlan & OptionNames<LoadOptions> = {
  ttl: undefined,
  tags: [],
  staleWhileRevalidate: 0,
  staleIfError: 0,
  softTimeout: Infinity,
  hardTimeout: 30_000,
  eagerRefresh: 0,
  negativeTtl: undefined,
  errorBackoff: 1_000,
  signal: undefined,
}

/** Returns the value of an option, known to be right, or throws. */
export type Check = (option: string, value: never) => unknown

/** Of the options of {@link LoadBehavior}, and the time to live. */
export const LOAD_CHECKS: Readonly<Record<keyof LoadBehavior | 'ttl', Check>> = {
  ttl: checkPositiveOrInfinity,
  staleWhileRevalidate: checkNonNegativeOrInfinity,
  staleIfError: checkNonNegativeOrInfinity,
  softTimeout: checkNonNegativeOrInfinity,
  hardTimeout: checkPositiveOrInfinity,
  eagerRefresh: checkOpenFraction,
  negativeTtl: checkPositiveOrInfinity,
  errorBackoff: checkNonNegativeOrInfinity,
}

const CALL_CHECKS: Readonly<Record<keyof LoadOptions, Check>> = {
  ...LOAD_CHECKS,
  tags: checkTags,
  signal: checkSignal,
}

/**
 * The options of one load, checked, unknown names included.
 *
 * @throws {InvalidOptionError} if one is outside its bounds or unknown.
 */
export function planLoad(options: LoadOptions, defaults: LoadPlan = DEFAULTS): LoadPlan {
  return withDefaults(checkOptions('', options, DEFAULTS), defaults, CALL_CHECKS)
}

/**
 * What the options of a whole cache say about its loads.
 *
 * @throws {InvalidOptionError} if one is outside its bounds.
 */
export function planLoads(options: LoadBehavior & Pick<LoadOptions, 'ttl'>): LoadPlan {
  return withDefaults(options, DEFAULTS, LOAD_CHECKS)
}

/**
 * A copy of `defaults` with those options, checked, that are given.
 *
 * @throws {InvalidOptionError} if one is outside its bounds.
 */
export function withDefaults<S extends object>(
  options: object,
  defaults: S,
  checks: Readonly<Record<string, Check>>,
): S {
  const all = { ...defaults } as Record<string, unknown>
  for (const option in checks) {
    const value = (options as Record<string, unknown>)[option]
    if (value !== undefined) all[option] = checks[option]!(option, value as never)
  }
  return all as S
}

function checkOpenFraction(option: string, value: unknown): number {
  if (typeof value === 'number' && value > 0 && value < 1) return value
  throw new InvalidOptionError(option, 'a number above 0 and below 1', value)
}
