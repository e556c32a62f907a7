import { InvalidOptionError } from '@millrace/kit'

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
