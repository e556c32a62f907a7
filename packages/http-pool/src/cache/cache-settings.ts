import {
  checkBoolean,
  checkIntegerOrInfinity,
  checkMethods,
  checkNonNegative,
  checkNonNegativeOrInfinity,
  checkOneOf,
  checkOptions,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import type { CacheOptions } from './cache-options.ts'

/** The resolved form of {@link CacheOptions}. */
export interface CacheSettings {
  readonly store: CacheOptions['store']
  readonly maxEntrySize: number
  readonly type: 'shared' | 'private'
  readonly cacheByDefault: number | undefined
  /** In lower case. */
  readonly targets: readonly string[]
  /** In lower case. */
  readonly credentials: readonly string[]
  /** In ms; Infinity means none. */
  readonly storeTimeout: number
  readonly gateway: boolean
}

const OPTION_NAMES: OptionNames<CacheOptions> = {
  store: true,
  maxEntrySize: true,
  type: true,
  cacheByDefault: true,
  targets: true,
  credentials: true,
  storeTimeout: true,
  gateway: true,
}

export function resolveCache(options: CacheOptions): CacheSettings {
  checkOptions('cache', options, OPTION_NAMES)
  const { store, type = 'shared', cacheByDefault, maxEntrySize = 5 * 1024 * 1024 } = options
  const { targets = [], credentials = [], storeTimeout = 2_000, gateway = false } = options
  return {
    store: store && checkMethods('cache.store', store, 'a store', ['get', 'set', 'delete']),
    type: checkOneOf('cache.type', type, ['shared', 'private']),
    maxEntrySize: checkIntegerOrInfinity('cache.maxEntrySize', maxEntrySize, 0),
    cacheByDefault: cacheByDefault && checkNonNegative('cache.cacheByDefault', cacheByDefault),
    targets: checkTargets(targets),
    credentials: checkCredentials(credentials),
    storeTimeout: checkNonNegativeOrInfinity('cache.storeTimeout', storeTimeout) || Infinity,
    gateway: checkBoolean('cache.gateway', gateway),
  }
}

function checkTargets(targets: unknown): string[] {
  const isList =
    Array.isArray(targets) &&
    targets.every(each => typeof each === 'string' && /^[\w-]+-cache-control$/i.test(each))
  if (!isList) {
    throw new InvalidOptionError(
      'cache.targets',
      'a list of fields like CDN-Cache-Control',
      targets,
    )
  }
  return targets.map(each => each.toLowerCase())
}

function checkCredentials(credentials: unknown): string[] {
  const isList =
    Array.isArray(credentials) &&
    credentials.every(each => typeof each === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(each))
  if (!isList) {
    throw new InvalidOptionError('cache.credentials', 'a list of names of headers', credentials)
  }
  return credentials.map(each => each.toLowerCase())
}
