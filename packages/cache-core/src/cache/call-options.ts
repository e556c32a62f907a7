import {
  checkBoolean,
  checkOptions,
  checkPositiveOrInfinity,
  type OptionNames,
} from '@millrace/kit'
import { checkTags } from '../invalidate/check-tags.ts'
import type { CacheLimits, ClearOptions, SetOptions } from './cache-options.ts'

const SET_OPTIONS: OptionNames<SetOptions> = { ttl: true, tags: true }
const LIMITS: OptionNames<CacheLimits> = { maxEntries: true, maxBytes: true }
const CLEAR_OPTIONS: OptionNames<ClearOptions> = { expire: true }

/**
 * Hot: the check of names proper only runs to make the error. Benchmark case: cache "churn".
 *
 * @throws {InvalidOptionError}
 */
export function checkSetOptions(options: SetOptions): void {
  if (typeof options !== 'object' || options === null) checkOptions('', options, SET_OPTIONS)
  for (const name in options) {
    if (name !== 'ttl' && name !== 'tags') checkOptions('', options, SET_OPTIONS)
  }
  if (options.ttl !== undefined) checkPositiveOrInfinity('ttl', options.ttl)
  if (options.tags !== undefined) checkTags('tags', options.tags)
}

/**
 * The limits, whose names are known; their bounds are for the kernel's owner to check.
 *
 * @throws {InvalidOptionError}
 */
export function checkLimits(limits: CacheLimits): CacheLimits {
  return checkOptions('', limits, LIMITS)
}

/**
 * Whether a `clear` ends freshness only.
 *
 * @throws {InvalidOptionError}
 */
export function clearsByExpiry(options: ClearOptions = {}): boolean {
  const { expire = false } = checkOptions('', options, CLEAR_OPTIONS)
  return checkBoolean('expire', expire)
}
