import { InvalidOptionError } from '@millrace/kit'

/** @throws {InvalidOptionError} for what is no string */
export function checkKey(key: string): string {
  if (typeof key !== 'string') throw new InvalidOptionError('key', 'a string', key)
  return key
}
