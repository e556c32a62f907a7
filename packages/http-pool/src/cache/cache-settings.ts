import {
  checkBoolean,
  checkIntegerOrInfinity,
  checkMethods,
  checkNonNegative,
  checkPositive,
  InvalidOptionError,
  type OptionRules,
  oneOf,
  optional,
  type Resolved,
  withDefault,
} from '@millrace/kit'
import type { HttpCacheOptions } from './cache-options.ts'

/** The resolved form of {@link HttpCacheOptions}: names in lower case. */
export type CacheSettings = Resolved<HttpCacheOptions, 'store' | 'cacheByDefault'>

export const CACHE_RULES: OptionRules<HttpCacheOptions, CacheSettings> = {
  store: optional(checkMethods<NonNullable<HttpCacheOptions['store']>>, 'a store', [
    'get',
    'set',
    'delete',
  ]),
  type: oneOf('shared', 'private'),
  maxEntrySize: withDefault(5 * 1024 * 1024, checkIntegerOrInfinity, 0),
  cacheByDefault: optional(checkNonNegative),
  targets: withDefault([], checkTargets),
  credentials: withDefault([], checkCredentials),
  storeTimeout: withDefault(2_000, checkPositive),
  gateway: withDefault(false, checkBoolean),
}

function checkTargets(option: string, targets: readonly string[]): string[] {
  const expected = 'a list of fields like CDN-Cache-Control'
  return namesLike(/^[\w-]+-cache-control$/i, option, targets, expected)
}

function checkCredentials(option: string, credentials: readonly string[]): string[] {
  return namesLike(/^[\w!#$%&'*+.^`|~-]+$/, option, credentials, 'a list of names of headers')
}

/** Names that have a form, in lower case. */
function namesLike(form: RegExp, option: string, names: unknown, expected: string): string[] {
  const areRight =
    Array.isArray(names) && names.every(each => typeof each === 'string' && form.test(each))
  if (!areRight) throw new InvalidOptionError(option, expected, names)
  return names.map(each => each.toLowerCase())
}
