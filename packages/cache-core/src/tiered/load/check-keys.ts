import { InvalidOptionError } from '@millrace/kit'
import { checkIterable } from '../../iterate/check-iterable.ts'

/**
 * Stores find values by strings alone; another key, which a `Cache` takes, must not count as a fault of the store.
 *
 * @throws {InvalidOptionError}
 */
export function checkKeys(keys: Iterable<string>): void {
  for (const key of keys) {
    if (typeof key !== 'string') throw new InvalidOptionError('key', 'a string', key)
  }
}

/**
 * Each key once.
 *
 * @throws {InvalidOptionError} if `keys` cannot be iterated or one is no string.
 */
export function distinctKeys(keys: Iterable<string>): string[] {
  const distinct = [...new Set(checkIterable('keys', keys))]
  checkKeys(distinct)
  return distinct
}
