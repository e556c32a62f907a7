import { heed, InvalidOptionError } from '@millrace/kit'

/**
 * Something to iterate over, but a string, which is one of characters and hardly ever meant.
 *
 * @throws {InvalidOptionError}
 */
export function checkIterable<T extends Iterable<unknown>>(option: string, value: T): T {
  const right = typeof value !== 'string' && typeof value?.[Symbol.iterator] === 'function'
  if (right) return value
  // Of a promise of one nobody would hear of the rejection.
  heed(value)
  throw new InvalidOptionError(option, 'an iterable, other than a string', value)
}
